/** @module What Prometheus asks of the database. */
import type { Sources } from "./metrics.ts";
import type { Readers } from "./processes/readers.ts";
import type { Writer } from "./processes/writer.ts";

const LIMIT_MS = 10_000;

/** Throws `QueryRefused` and `QueryFailed`. */
export async function databaseFigures(own: Readers, writer: Writer): ReturnType<Sources["database"]> {
  const [figures] = await own.all(
    `SELECT (SELECT COALESCE(SUM("end" - start + 1), 0) FROM __corro_bookkeeping_gaps),
       (SELECT COUNT(*) FROM __corro_buffered_changes),
       (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size)`,
    LIMIT_MS,
  );
  const rows = new Map<string, number>();
  for (const { name } of writer.tables) {
    const [count] = await own.all(`SELECT COUNT(*) FROM "${name.replaceAll('"', '""')}"`, LIMIT_MS);
    rows.set(name, Number(count?.[0]));
  }
  const [gaps, buffered, bytes] = figures ?? [];
  return { gaps: Number(gaps), buffered: Number(buffered), bytes: Number(bytes), rows };
}
