/** @module The events of a run in pages, in the order of their keys: as many at a time as one message of the bus carries. */
import type { DatabaseSync } from "node:sqlite";
import { MAX_CALL_BYTES } from "../../../lib/bus-limits.ts";
import type { EventKey, EventPage, MessageEventRow } from "../contract.ts";
import { eventRow } from "./rows.ts";

const PAGE_ROWS = 1000;
/** What a row takes beside its texts. */
const ROW_BYTES = 250;

/** The events behind `after`, null for the first ones. Throws what SQLite throws. */
export function readEventPage(db: DatabaseSync, experimentId: string, after: EventKey | null): EventPage {
  const statement = db.prepare(
    `SELECT * FROM message_events INDEXED BY message_events_of_experiment
       WHERE experiment_id = :experiment AND message_id >= :message
         AND (message_id, ifnull(target_node, '')) > (:message, :target)
       ORDER BY message_id, target_node LIMIT ${PAGE_ROWS + 1}`,
  );
  // Every message has an id, and the first one of a page is behind no target of an empty one.
  const from = { message: after?.message_id ?? "", target: after?.target_node ?? "" };
  const rows: MessageEventRow[] = [];
  let bytes = 0;
  for (const raw of statement.iterate({ experiment: experimentId, ...from })) {
    const row = eventRow(raw);
    bytes += mostBytes(row);
    if (rows.length > 0 && (rows.length === PAGE_ROWS || bytes > MAX_CALL_BYTES)) {
      const last = rows[rows.length - 1]!;
      return { rows, next: { message_id: last.message_id, target_node: last.target_node } };
    }
    rows.push(row);
  }
  return { rows, next: null };
}

/** UTF-8 has three bytes at most for each unit of a text. */
function mostBytes({ experiment_id, message_id, originating_node, region, target_node }: MessageEventRow) {
  const texts = [experiment_id, message_id, originating_node, region ?? "", target_node ?? ""];
  return ROW_BYTES + 3 * texts.reduce((sum, { length }) => sum + length, 0);
}
