/** @module The engine's warnings in the log. */
import assert from "node:assert/strict";
import { EngineWarnings } from "../../services/raft/engine-warnings.ts";

describe("a warning of the log engine", () => {
  it("is logged once when it appears and once when it goes, however often somebody looks", () => {
    const lines: string[] = [];
    const warnings = new EngineWarnings({
      warn: (message) => lines.push(`warn ${message}`),
      info: (message, fields) => lines.push(`info ${message}: ${JSON.stringify(fields)}`),
    });
    for (const seen of [["old"], ["old"], ["old", "few"], ["few"], ["few"], [], [], ["old"]]) {
      warnings.look(seen);
    }
    assert.deepEqual(lines, [
      "warn old",
      "warn few",
      'info a warning of the log engine is over: {"warning":"old"}',
      'info a warning of the log engine is over: {"warning":"few"}',
      "warn old",
    ]);
  });
});
