/** @module A reading process: one read-only connection, one statement at a time, its rows sent in chunks. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { tokenize } from "../../../lib/sql-tokens.ts";
import { cellsText, realText } from "../json/cells.ts";
import { openReader } from "../store/connection.ts";
import type { SqlValue, Statement } from "../values.ts";
import { sendToParent, sentToParent } from "./child-channel.ts";
import { bindArguments, WrongParameters } from "./parameters.ts";
import { isReadOnly, leavesTraces } from "./read-only.ts";
import { CREDIT, type ReaderMode, type ReaderReport, type ReaderRequest } from "./reader-protocol.ts";
import { endWithParent } from "./watchdog.ts";

const CHUNK_CHARS = 48 * 1024;
const CHUNK_ROWS = 1024;
/** Rows that come slowly are sent at the latest after this. */
const CHUNK_MS = 20;

const [parent = "", path = ""] = process.argv.slice(2);
endWithParent(Number(parent));

class Refused extends Error {
  override name = "Refused";
  readonly status: 400 | 500;
  constructor(status: 400 | 500, message: string) {
    super(message);
    this.status = status;
  }
}

type Row = readonly SqlValue[];
interface Accepted {
  readonly columns: readonly string[];
  readonly rows: Iterable<Row>;
}

let db: DatabaseSync | null = null;
let credit = CREDIT;
let cancelled = false;
let wake: () => void = () => {};

process.on("message", (request: ReaderRequest) => {
  if (request.kind === "run") {
    credit = CREDIT;
    cancelled = false;
    void run(request.mode, request.statement);
    return;
  }
  if (request.kind === "credit") credit++;
  else cancelled = true;
  wake();
});
try {
  connection();
  say({ kind: "ready" });
} catch (error) {
  await sentToParent({ kind: "unusable", message: messageOf(error) } satisfies ReaderReport);
  process.exit(1);
}

function connection(): DatabaseSync {
  const open = db ?? openReader(path);
  db = open;
  return open;
}

async function run(mode: ReaderMode, statement: Statement): Promise<void> {
  let accepted: Accepted;
  try {
    accepted = accept(statement);
  } catch (error) {
    const status = error instanceof Refused ? error.status : 500;
    say({ kind: "refused", status, message: messageOf(error) });
    return;
  }
  // It is there even when the first row takes long, or fails.
  const columns = `{"columns":${JSON.stringify(accepted.columns)}}\n`;
  say({ kind: "begun", head: mode === "lines" ? Buffer.from(columns) : null });
  let failure: string | null = null;
  try {
    await (mode === "lines" ? sendLines(accepted) : sendValues(accepted));
  } catch (error) {
    failure = messageOf(error);
  }
  if (leavesTraces(statement.sql)) {
    db?.close();
    db = null;
  }
  say({ kind: "over", message: failure });
}

/** Throws `Refused`. */
function accept({ sql, params }: Statement): Accepted {
  const reader = connection();
  const statement = attempt(400, () => reader.prepare(sql));
  if (tokenize(sql.slice(statement.sourceSQL.length)).some(({ text }) => text !== ";")) {
    throw new Refused(400, "Multiple statements provided");
  }
  if (!attempt(400, () => isReadOnly(reader, statement.sourceSQL))) {
    throw new Refused(400, "statement is not readonly");
  }
  const columns = statement.columns().map(({ name }) => name);
  return { columns, rows: attempt(500, () => rowsOf(statement, bindArguments(statement.sourceSQL, params))) };
}

function rowsOf(statement: StatementSync, bound: ReturnType<typeof bindArguments>): Iterable<Row> {
  statement.setAllowBareNamedParameters(false);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  // With arrays asked for, a row is one; the type declarations know only objects.
  return statement.iterate(...bound) as unknown as Iterable<Row>;
}

function attempt<T>(status: 400 | 500, what: () => T): T {
  try {
    return what();
  } catch (error) {
    if (error instanceof WrongParameters) throw new Refused(500, error.message);
    throw new Refused(status, messageOf(error));
  }
}

async function sendLines({ rows }: Accepted): Promise<void> {
  let text = "";
  const began = performance.now();
  let sentAt = began;
  let n = 0;
  try {
    for (const row of rows) {
      text += `{"row":[${++n},${cellsText(row)}]}\n`;
      if (text.length < CHUNK_CHARS && performance.now() - sentAt < CHUNK_MS) continue;
      await room();
      if (cancelled) return;
      await sentToParent({ kind: "lines", bytes: Buffer.from(text) } satisfies ReaderReport);
      text = "";
      sentAt = performance.now();
    }
  } catch (error) {
    // The rows before the one that failed are still the answer's.
    await room();
    if (text !== "") say({ kind: "lines", bytes: Buffer.from(text) });
    throw error;
  }
  const end = `{"eoq":{"time":${realText((performance.now() - began) / 1000)}}}\n`;
  await room();
  say({ kind: "lines", bytes: Buffer.from(text + end) });
}

async function sendValues({ rows }: Accepted): Promise<void> {
  let batch: Row[] = [];
  for (const row of rows) {
    batch.push(row);
    if (batch.length < CHUNK_ROWS) continue;
    await room();
    if (cancelled) return;
    await sentToParent({ kind: "values", rows: batch } satisfies ReaderReport);
    batch = [];
  }
  await room();
  if (batch.length > 0) say({ kind: "values", rows: batch });
}

/** Waits until one more chunk may be sent, or nobody wants it. */
async function room(): Promise<void> {
  while (credit === 0 && !cancelled) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  credit--;
}

function say(report: ReaderReport): void {
  sendToParent(report);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
