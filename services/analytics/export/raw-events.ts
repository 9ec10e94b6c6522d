/** @module The raw events of an export behind the rest of its file, as they come: no file is ever whole in memory. */
import { csvLine } from "../../../lib/csv.ts";
import type { MessageEventRow } from "../contract.ts";
import { eventJson } from "../reports.ts";
import { rawEventRows } from "./experiment-csv.ts";
import type { ExportFormat } from "./file.ts";

/** How the JSON of an export without raw events ends. */
const JSON_END = "[]\n}";
const ITEM = "\n    ";

/** The pieces of the file: `file` is its text without raw events, `events` come in pages. Throws what `events` throw. */
export function withRawEvents(
  format: ExportFormat,
  file: string,
  events: AsyncIterable<readonly MessageEventRow[]>,
): AsyncGenerator<string> {
  return format === "json" ? jsonPieces(file, events) : csvPieces(file, events);
}

async function* jsonPieces(file: string, events: AsyncIterable<readonly MessageEventRow[]>) {
  if (!file.endsWith(JSON_END)) throw new Error("the raw events are not the last part of the export");
  yield file.slice(0, -JSON_END.length);
  let before = `[${ITEM}`;
  for await (const page of events) {
    if (page.length === 0) continue;
    const items = page.map((row) => JSON.stringify(eventJson(row), null, 2).replaceAll("\n", ITEM));
    yield before + items.join(`,${ITEM}`);
    before = `,${ITEM}`;
  }
  yield before.startsWith("[") ? JSON_END : "\n  ]\n}";
}

async function* csvPieces(file: string, events: AsyncIterable<readonly MessageEventRow[]>) {
  yield file;
  let count = 0;
  for await (const page of events) {
    let text = "";
    for (const row of rawEventRows(page.map(eventJson), count)) text += csvLine(row);
    yield text;
    count += page.length;
  }
}
