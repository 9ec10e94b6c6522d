/** @module What the machine itself does in the same run, so that figures can be read as ratios. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Durable SQLite transactions a second, one message of 200 bytes each (WAL, synchronous=FULL). */
export async function sqliteCommits(total: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "fleet-bench-"));
  try {
    const db = new DatabaseSync(join(folder, "baseline.sqlite"));
    db.exec(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE m (seq INTEGER PRIMARY KEY, body BLOB)",
    );
    const insert = db.prepare("INSERT INTO m (body) VALUES (?)");
    const body = Buffer.alloc(200, "x");
    const began = performance.now();
    for (let i = 0; i < total; i++) insert.run(body);
    const seconds = (performance.now() - began) / 1000;
    db.close();
    return total / seconds;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
