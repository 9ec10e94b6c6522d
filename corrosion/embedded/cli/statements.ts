/** @module The commands `query` and `exec`: one statement sent to the agent's HTTP API. */

import { request } from "node:http";
import { createInterface } from "node:readline";
import { formatHostPort } from "../../../lib/host-port.ts";
import type { SocketAddress } from "../config.ts";
import { parseWithSource, type SourceJson } from "../json/source.ts";
import type { Statement } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";

/** The agent refused or failed, or did not answer; the message is for standard error. */
export class StatementRejected extends Error {
  override name = "StatementRejected";
}

/** Prints the rows, cells joined by `|`. Throws `StatementRejected`. */
export async function runQuery(
  addr: SocketAddress,
  statement: Statement,
  columns: boolean,
  terminal: Terminal,
): Promise<void> {
  const response = await post(addr, "/v1/queries", statement, bodyOf(statement));
  if (response.statusCode !== 200) {
    throw new StatementRejected(errorOf(await textOf(response)) ?? unexpected(response.statusCode));
  }
  let complete = false;
  for await (const line of createInterface({ input: response })) {
    const event = parseWithSource(line);
    const names = member(event, "columns");
    const row = member(event, "row");
    const eoq = member(event, "eoq");
    if (isArray(names) && columns) terminal.print(names.join("|"));
    if (isArray(row) && isArray(row[1] ?? null))
      terminal.print((row[1] as SourceJson[]).map(cellText).join("|"));
    if (eoq !== undefined) {
      complete = true;
      if (statement.timer) terminal.print(`time: ${decimal(Number(member(eoq, "time")))}s`);
    }
    const error = member(event, "error");
    if (error !== undefined) throw new StatementRejected(String(error));
  }
  if (!complete) throw new StatementRejected("The agent ended the answer before it was complete.");
}

/** Logs the number of changed rows. Throws `StatementRejected`. */
export async function runExec(addr: SocketAddress, statement: Statement, terminal: Terminal): Promise<void> {
  const response = await post(addr, "/v1/transactions", statement, `[${bodyOf(statement)}]`);
  const text = await textOf(response);
  const results = member(jsonOf(text), "results");
  const [result = null] = isArray(results) ? results : [];
  if (response.statusCode !== 200) {
    throw new StatementRejected(String(member(result, "error") ?? unexpected(response.statusCode)));
  }
  terminal.info(`Rows affected: ${String(member(result, "rows_affected"))}`);
  if (statement.timer) terminal.print(`Run Time: real ${decimal(Number(member(result, "time")))}`);
}

function bodyOf({ sql, params }: Statement): string {
  return JSON.stringify(params.length === 0 ? sql : [sql, params]);
}

function post(addr: SocketAddress, path: string, { timeout }: Statement, body: string) {
  const { promise, resolve, reject } = Promise.withResolvers<import("node:http").IncomingMessage>();
  const url = `http://${formatHostPort(addr)}${path}${timeout === null ? "" : `?timeout=${timeout}`}`;
  const sent = request(url, { method: "POST", headers: { "content-type": "application/json" } }, resolve);
  sent.once("error", (error) => {
    reject(new StatementRejected(`No agent answers on ${formatHostPort(addr)}: ${error.message}`));
  });
  sent.end(body);
  return promise;
}

async function textOf(response: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function errorOf(text: string): string | null {
  const error = member(jsonOf(text), "error");
  return typeof error === "string" ? error : null;
}

/** Null for what is no JSON: plain-text errors. */
function jsonOf(text: string): SourceJson {
  try {
    return parseWithSource(text);
  } catch {
    return null;
  }
}

function unexpected(status: number | undefined): string {
  return `received unexpected response code: ${status}`;
}

function cellText(cell: SourceJson): string {
  if (cell === null) return "";
  if (isArray(cell)) return `x'${Buffer.from(cell.map(Number)).toString("hex")}'`;
  return typeof cell === "number" ? decimal(cell) : String(cell);
}

/** A real without exponent and without `.0`, as Rust prints it. */
export function decimal(value: number): string {
  if (!Number.isFinite(value) || value === 0) return Object.is(value, -0) ? "-0" : String(value);
  const [mantissa = "", exponent = "0"] = Math.abs(value).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  const point = Number(exponent) + 1;
  const sign = value < 0 ? "-" : "";
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits.padEnd(point, "0");
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

function member(json: SourceJson, name: string): SourceJson | undefined {
  const isTable = typeof json === "object" && json !== null && !Array.isArray(json);
  return isTable && Object.hasOwn(json, name) ? (json as Record<string, SourceJson>)[name] : undefined;
}

function isArray(json: SourceJson | undefined): json is SourceJson[] {
  return Array.isArray(json);
}
