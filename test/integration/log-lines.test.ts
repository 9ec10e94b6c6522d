/** @module What a node writes into its log file, and what it leaves out. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { UNREACHABLE } from "../helpers/database.ts";
import { startFleet } from "../helpers/fleet.ts";
import { until } from "../helpers/until.ts";

interface Line {
  readonly level: number;
  readonly mod: string;
  readonly msg: string;
}

const WARN = 40;

describe("the log file of a node", () => {
  it("says of a group what happened to it, and not that its actors started and stopped", async () => {
    const fleet = await startFleet({ groups: 16, databaseUrl: UNREACHABLE });
    const file = join(fleet.dataDir, "logs", "node1-app.log");
    try {
      const lines = await until("it says what it leads", async () => {
        const written = (await readFile(file, "utf8")).split("\n").filter(Boolean);
        const found = written.map((line) => JSON.parse(line) as Line);
        return found.some(({ msg }) => msg === "leads group") ? found : null;
      });
      const started = lines.filter(({ msg }) => /^Service '.+' (started|stopped)/.test(msg));
      assert.ok(started.some(({ mod }) => mod === "raft.topology"));
      assert.deepEqual(
        lines.filter(({ level, mod }) => level < WARN && /^raft\.g\d/.test(mod)),
        [],
      );
    } finally {
      await fleet.stop();
    }
  });
});
