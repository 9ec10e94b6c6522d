/** @module What the dashboard's sources may hold: the bootstrap, the page's policy and the browser rely on it. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");

describe("The dashboard's sources", () => {
  const files = globSync("public/**/*.{ts,tsx}", { cwd: ROOT });
  const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

  it("import from outside only what the bootstrap looks at when it asks whether to build, and types", () => {
    const sources = /DASHBOARD_SOURCES = \[([^\]]+)\]/.exec(read("bin/bootstrap.mjs"))?.[1] ?? "";
    const watched = [...sources.matchAll(/"([^"]+)"/g)].map(([, path]) => path);
    assert.ok(watched.includes("public"));
    const imported = files.flatMap((file) =>
      [...read(file).matchAll(/^(?:import|export) (?!type\b)[^;]*? from "(\.[^"]+)";/gms)].map(([, path]) =>
        relative(ROOT, join(ROOT, dirname(file), path!)),
      ),
    );
    assert.ok(imported.includes("lib/regions.ts"), "the imports were found");
    const outside = imported.filter((path) => !path.startsWith("public/"));
    assert.deepEqual(
      [...new Set(outside)].filter((path) => !watched.includes(path)),
      [],
    );
  });

  it("never make markup of text", () => {
    assert.ok(files.length > 30);
    for (const file of files) {
      assert.doesNotMatch(
        read(file),
        /dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/,
        file,
      );
    }
  });
});
