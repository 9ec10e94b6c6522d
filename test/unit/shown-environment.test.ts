/** @module Which parts of the environment may be shown. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { shownEnvironment, VARIABLES } from "../../lib/shown-environment.ts";

const ROOT = join(import.meta.dirname, "../..");

describe("The environment that is shown", () => {
  for (const [name, value, shown] of [
    ["CONSOLE_TOKEN", "abc", "[redacted]"],
    ["ACK_TOKEN", "abc", "[redacted]"],
    ["CORROSION_API_TOKEN", "abc", "[redacted]"],
    ["DATABASE_URL", "postgresql://u:p%40x@h:5432/db", "postgresql://[redacted]@h:5432/db"],
    ["DATABASE_URL", "postgresql://u:p@x@h/db", "postgresql://[redacted]@h/db"],
    ["DATABASE_URL", "postgresql://h/db?password=p&user=u", "postgresql://h/db?[redacted]"],
    ["DATABASE_URL", "postgresql:///db?host=/run&password=p", "postgresql:///db?[redacted]"],
    ["NATS_URL", "nats://token@h:4222", "nats://[redacted]@h:4222"],
    ["NATS_URL", "nats://u:p@a,nats://u:p@b:1", "nats://[redacted]@b:1"],
    ["NATS_URL", "u:p@a:4222", "[redacted]@a:4222"],
    ["NATS_URL", "nats://a:1,nats://b:2", "nats://a:1,nats://b:2"],
    ["REDIS_URL", "rediss://:p@h:1", "rediss://[redacted]@h:1"],
    ["ALLOWED_ORIGINS", "https://a.example, https://b.example", "https://a.example, https://b.example"],
    ["NODE_ID", "3", "3"],
    ["NODE_ID", "", null],
  ] as const) {
    it(`has ${name}=${value} as ${shown}`, () => {
      assert.equal(shownEnvironment({ [name]: value })[name], shown);
    });
  }

  it("has no variable that Fleetport does not read, and null for those that are not set", () => {
    const shown = shownEnvironment({ AWS_SECRET_ACCESS_KEY: "x", HOME: "/root" });
    assert.deepEqual(Object.keys(shown), [...VARIABLES]);
    assert.deepEqual([...new Set(Object.values(shown))], [null]);
  });

  it("has every variable that the configuration reads", () => {
    const source = ["config.ts", "console-config.ts"]
      .map((file) => readFileSync(join(ROOT, "lib", file), "utf8"))
      .join();
    const read = [
      ...source.matchAll(
        /\b(?:text|integer|duration|flag|oneOf|url|either)\(\s*"([A-Z_]+)"(?:, "([A-Z_]+)"\))?/g,
      ),
    ];
    const names = read.flatMap(([, first, second]) => [first, second]).filter((name) => name !== undefined);
    assert.ok(names.length > 40 && globSync("lib/config.ts", { cwd: ROOT }).length === 1);
    assert.deepEqual(
      names.filter((name) => !VARIABLES.includes(name)),
      [],
    );
  });

  it("never has what stands before the last @ of a URL, nor what follows its ?", () => {
    const secret = "s3cr3t";
    const around = fc.string({ unit: fc.constantFrom(..."ab:/@?&,%1") });
    fc.assert(
      fc.property(around, around, around, fc.boolean(), (before, after, host, query) => {
        const value = query
          ? `nats://${host}?${before}${secret}${after}`
          : `nats://${before}${secret}${after}@${host}`;
        assert.ok(!String(shownEnvironment({ NATS_URL: value }).NATS_URL).includes(secret));
      }),
      { numRuns: 500 },
    );
  });
});
