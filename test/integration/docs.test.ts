/** @module The documents say what the program has: every metric, and the tests that guarantees are shown by. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runtimeOf } from "../../lib/runtime.ts";
import { agentEnv, agentNode, shortFolder } from "../helpers/agent-node.ts";
import { UNREACHABLE } from "../helpers/database.ts";
import { startFleet } from "../helpers/fleet.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** What prom-client itself measures, which the documents name as a whole. */
const PROCESS = /^(process|nodejs)_/;
/** What Prometheus makes of a histogram. */
const SERIES = /_(bucket|sum|count)$/;

describe("docs/operations.md", () => {
  let registered: string[];
  before(async () => {
    const fleet = await startFleet({ nodes: 1, groups: 1, databaseUrl: UNREACHABLE });
    const metrics = await runtimeOf(fleet.nodes[0]!.broker).metrics.getMetricsAsJSON();
    const folder = shortFolder();
    const agent = agentNode(folder, await agentEnv(folder));
    metrics.push(...(await agent.metrics.getMetricsAsJSON()));
    registered = [...new Set(metrics.map(({ name }) => name.replace(/^fleet_/, "")))];
    await Promise.all([fleet.stop(), agent.stop()]);
  });

  it("has a row for every metric of a node, and for no other", () => {
    const section = /^## Metrics$([\s\S]*?)^## /m.exec(read("docs/operations.md"))?.[1] ?? "";
    const rows = [...section.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, name]) => name!);
    assert.deepEqual(rows.sort(), registered.filter((name) => !PROCESS.test(name)).sort());
    assert.match(section, /^\| `process_\*`, `nodejs_\*` \|/m);
  });

  it("names no metric that a node does not have, nor do the other documents", () => {
    for (const path of ["README.md", ...globSync("docs/*.md", { cwd: ROOT })]) {
      for (const [, name] of read(path).matchAll(/\bfleet_([a-z0-9_]+)/g)) {
        const base = name!.replace(SERIES, "");
        assert.ok(registered.includes(name!) || registered.includes(base), `${path}: fleet_${name}`);
      }
    }
  });
});

describe("docs/guarantees.md", () => {
  const text = read("docs/guarantees.md");

  it("names test files that are there", () => {
    const files = [...text.matchAll(/`(test\/[^`\s]+\.test\.ts)`/g)].map(([, file]) => file!);
    assert.ok(files.length > 30);
    for (const file of files) read(file);
  });

  it("quotes titles that the tests have", () => {
    // A file, a colon, then its titles in quotes, with semicolons between them.
    const quotes = [...text.matchAll(/`(test\/[^`\s]+\.test\.ts)`:((?:;?\s*"[^"]+")+)/g)];
    assert.ok(quotes.length > 30);
    for (const [, file, list] of quotes) {
      const titles = titlesOf(read(file!));
      for (const [, quoted] of list!.matchAll(/"([^"]+)"/g)) {
        const title = quoted!.replace(/\s+/g, " ");
        assert.ok(
          titles.some((known) => known.test(title)),
          `${file} has no test "${title}"`,
        );
      }
    }
  });
});

/** Literal characters that a title must have at least: one that is computed as a whole would stand for any. */
const LITERAL = 10;

/** What titles in a file can be, with anything where they are computed; the seed at the end is not quoted. */
function titlesOf(source: string): RegExp[] {
  const titles = [...source.matchAll(/\b(?:it|describe)\(\s*(["`])((?:(?!\1).)+)\1/g)];
  return titles.flatMap(([, , title]) => {
    const parts = title!.replace(/ \(seed \$\{\w+\}\)$/, "").split(/\$\{[^}]*\}/);
    if (parts.join("").length < LITERAL) return [];
    const escaped = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return [new RegExp(`^${escaped.join(".+")}$`)];
  });
}
