/** @module Configuration: what is taken from the environment, and the sentences about what cannot be. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { InvalidConfig, readConfig } from "../../lib/config.ts";

/** The sentences that reading this environment ends with. */
function problems(env: Record<string, string>): string[] {
  try {
    readConfig({ FLEET_NODE_ID: "n1", ...env });
  } catch (error) {
    assert.ok(error instanceof InvalidConfig);
    return error.message.split("\n");
  }
  return [];
}

const NATS = "nats://127.0.0.1:4222";
const POSTGRES = "postgresql://fleetport:secret@127.0.0.1:5432/fleetport";
/** What the distributed mode needs at least. */
const DISTRIBUTED = { NATS_URL: NATS, DATABASE_URL: POSTGRES };

/** Node's timers take no longer time. */
const LONGEST_MS = 2 ** 31 - 1;

/** Name, the least value, the greatest value where there is one. */
const INTEGERS: readonly [string, number, number?][] = [
  ["PORT", 0, 65_532],
  ["FLEET_NODES", 1, 10],
  ["FLEET_GROUPS", 1, 1024],
  ["FLEET_REPLICAS", 1, 5],
  ["FLEET_HEARTBEAT_MS", 100, LONGEST_MS],
  ["FLEET_NODE_TIMEOUT_MS", 500, LONGEST_MS],
  ["FLEET_LEADER_LEASE_MS", 100, LONGEST_MS],
  ["FLEET_APPEND_TIMEOUT_MS", 50, LONGEST_MS],
  ["FLEET_POOL_SIZE", 1, 1000],
  ["FLEET_FLUSH_INTERVAL_MS", 10, LONGEST_MS],
  ["FLEET_FLUSH_BATCH", 1, 50_000],
  ["FLEET_RATE_LIMIT", 0, 1_000_000_000],
  ["FLEET_SNAPSHOT_EVERY", 1],
  ["FLEET_SNAPSHOT_KEEP", 1, 100],
  ["FLEET_EVICT_IDLE_MS", 10, LONGEST_MS],
  ["FLEET_MAX_CONTENT_BYTES", 1, 524_288],
  ["FLEET_INFLIGHT_BYTES", 1024],
  ["FLEET_HOT_BYTES", 1024],
  ["FLEET_WS_BUFFER_BYTES", 65_536],
  ["FLEET_CATCHUP_INTERVAL_MS", 50, LONGEST_MS],
];

describe("the configuration", () => {
  it("of an empty environment is the contract's embedded mode", () => {
    const config = readConfig({ FLEET_NODE_ID: "n1" });
    const { mode, host, port, natsUrl, engine, dataDir, nodes, groups, replicas } = config;
    assert.deepEqual(
      { mode, host, port, natsUrl, engine, dataDir, nodes, groups, replicas },
      {
        mode: "embedded",
        host: "127.0.0.1",
        port: 4000,
        natsUrl: null,
        engine: "sqlite",
        dataDir: resolve("data"),
        nodes: 3,
        groups: 256,
        replicas: 3,
      },
    );
    const { heartbeatMs, nodeTimeoutMs, leaderLeaseMs, appendTimeoutMs, drainTimeoutMs } = config;
    assert.deepEqual(
      [heartbeatMs, nodeTimeoutMs, leaderLeaseMs, appendTimeoutMs, drainTimeoutMs],
      [1000, 5000, 2000, 2000, 30_000],
    );
    const { maxContentBytes, inflightBytes, hotBytes, wsBufferBytes, catchupIntervalMs } = config;
    assert.deepEqual(
      [maxContentBytes, inflightBytes, hotBytes, wsBufferBytes, catchupIntervalMs],
      [262_144, 67_108_864, 268_435_456, 8_388_608, 5000],
    );
  });

  it("with NATS_URL is the distributed mode on JetStream", () => {
    const { mode, engine, natsUrl } = readConfig({ ...DISTRIBUTED, FLEET_NODE_ID: "n1" });
    assert.deepEqual([mode, engine, natsUrl], ["distributed", "jetstream", NATS]);
    for (const url of [
      "tls://nats.example.org:4222",
      "nats://user:password@a:4222,nats://b:4222",
      `${NATS}, nats://b:4222`,
    ]) {
      assert.deepEqual(problems({ ...DISTRIBUTED, NATS_URL: url }), []);
    }
  });

  it("takes the address of a Postgres and of a Redis, and needs neither in the embedded mode", () => {
    const { databaseUrl, redisUrl } = readConfig({ FLEET_NODE_ID: "n1" });
    assert.deepEqual([databaseUrl, redisUrl], [null, null]);
    for (const url of [
      POSTGRES,
      "postgres://db.example.org/fleet",
      "postgres://u:p%40ss%2Fword@[::1]:5432/fleet?sslmode=require",
      "postgresql://fleetport@/postgres?host=%2Ftmp%2Fsocket&port=5432",
      "postgresql:///postgres?host=/tmp",
    ]) {
      assert.equal(readConfig({ DATABASE_URL: url, FLEET_NODE_ID: "n1" }).databaseUrl, url);
    }
    for (const url of ["redis://127.0.0.1:6379", "rediss://user:secret@cache.example.org:6380/1"]) {
      assert.equal(readConfig({ REDIS_URL: url, FLEET_NODE_ID: "n1" }).redisUrl, url);
    }
  });

  it("of the archive is the contract's", () => {
    const { poolSize, migrateOnBoot, flushIntervalMs, flushBatch } = readConfig({ FLEET_NODE_ID: "n1" });
    assert.deepEqual([poolSize, migrateOnBoot, flushIntervalMs, flushBatch], [25, true, 5000, 5000]);
    const { snapshotEvery, snapshotKeep, evictIdleMs } = readConfig({ FLEET_NODE_ID: "n1" });
    assert.deepEqual([snapshotEvery, snapshotKeep, evictIdleMs], [100_000, 3, 86_400_000]);
  });

  it("takes every whole number within its bounds", () => {
    for (const [name, min, max] of INTEGERS) {
      if (name === "FLEET_HEARTBEAT_MS") continue;
      const around = { FLEET_HEARTBEAT_MS: "100" };
      for (const value of [min, max ?? 500_000]) {
        assert.deepEqual(problems({ ...around, [name]: String(value) }), [], `${name}=${value}`);
      }
    }
  });

  it("takes a heartbeat of up to half the time after which a node counts as lost", () => {
    const env = (heartbeat: number) => ({
      FLEET_HEARTBEAT_MS: String(heartbeat),
      FLEET_NODE_TIMEOUT_MS: "800",
    });
    assert.deepEqual(problems(env(100)), []);
    assert.deepEqual(problems(env(400)), []);
    assert.equal(problems(env(401)).length, 1);
  });

  it("takes an empty value for a missing one, and spaces around a value for none", () => {
    assert.equal(readConfig({ FLEET_NODE_ID: "n1", PORT: "", FLEET_GROUPS: "  " }).groups, 256);
    assert.equal(readConfig({ FLEET_NODE_ID: " n1 ", PORT: " 5000 " }).port, 5000);
  });

  it("names the host as the node when nobody else does", () => {
    assert.match(readConfig({}).nodeId, /^[\w.-]+$/);
  });

  it("leaves loopback only when that is said to be meant", () => {
    for (const host of ["127.0.0.1", "127.1.2.3", "localhost", "::1"]) {
      assert.deepEqual(problems({ HOST: host }), []);
    }
    assert.deepEqual(problems({ HOST: "0.0.0.0", FLEET_AUTH_ALLOW_INSECURE: "true" }), []);
  });
});

describe("a value that cannot be used stops the start with one sentence that names it", () => {
  for (const [name, min, max] of INTEGERS) {
    it(name, () => {
      const wrong = ["-1", "1.5", "1e3", "0x10", "abc", "1 000", "NaN", "99999999999999999999"];
      if (min > 0) wrong.push(String(min - 1));
      if (max !== undefined) wrong.push(String(max + 1));
      for (const value of wrong) {
        const found = problems({ [name]: value });
        assert.equal(found.length, 1, `${name}=${value}: ${found.join(" | ")}`);
        assert.match(
          found[0]!,
          new RegExp(`^${name} must be a whole number from ${min} to \\d+, and is ".+"\\.$`),
        );
        assert.ok(found[0]!.includes(`"${value}"`));
      }
    });
  }

  const OTHERS: readonly [string, Record<string, string>, RegExp][] = [
    [
      "FLEET_ENGINE",
      { FLEET_ENGINE: "postgres" },
      /^FLEET_ENGINE must be one of sqlite, jetstream, .+"postgres"\.$/,
    ],
    ["FLEET_ENGINE=jetstream without NATS_URL", { FLEET_ENGINE: "jetstream" }, /needs NATS_URL/],
    ["FLEET_ENGINE=sqlite with NATS_URL", { FLEET_ENGINE: "sqlite", ...DISTRIBUTED }, /^FLEET_ENGINE=sqlite/],
    ["FLEET_LOG_LEVEL", { FLEET_LOG_LEVEL: "loud" }, /^FLEET_LOG_LEVEL must be one of fatal, .+"loud"\.$/],
    [
      "NATS_URL of another scheme",
      { ...DISTRIBUTED, NATS_URL: "http://a:4222" },
      /^NATS_URL must be .+"http:\/\/a:4222"\.$/,
    ],
    ["NATS_URL with an empty part", { ...DISTRIBUTED, NATS_URL: `${NATS},` }, /^NATS_URL must be .+""\.$/],
    [
      "NATS_URL without DATABASE_URL",
      { NATS_URL: NATS },
      /^NATS_URL is set, and the distributed mode then needs DATABASE_URL: set it to .+e\.g\. postgresql:/,
    ],
    [
      "FLEET_MIGRATE_ON_BOOT that is neither true nor false",
      { FLEET_MIGRATE_ON_BOOT: "1" },
      /^FLEET_MIGRATE_ON_BOOT must be one of true, false, and is "1"\.$/,
    ],
    [
      "HOST that others can reach",
      { HOST: "0.0.0.0" },
      /^HOST is "0\.0\.0\.0".+FLEET_AUTH_ALLOW_INSECURE=true/,
    ],
    ["HOST that only looks like loopback", { HOST: "127.0.0.1.example.org" }, /^HOST is/],
    [
      "FLEET_AUTH_ALLOW_INSECURE that is neither true nor false",
      { FLEET_AUTH_ALLOW_INSECURE: "yes" },
      /^FLEET_AUTH_ALLOW_INSECURE must be one of true, false, and is "yes"\.$/,
    ],
    [
      "FLEET_NODE_ID with other characters",
      { FLEET_NODE_ID: "node 1" },
      /^FLEET_NODE_ID must be .+"node 1"\.$/,
    ],
    ["FLEET_NODE_ID that is too long", { FLEET_NODE_ID: "n".repeat(65) }, /^FLEET_NODE_ID must be/],
    [
      "FLEET_NODE_TIMEOUT_MS below twice the heartbeat",
      { FLEET_HEARTBEAT_MS: "3000" },
      /^FLEET_NODE_TIMEOUT_MS \(5000\) must be at least twice FLEET_HEARTBEAT_MS \(3000\)/,
    ],
  ];
  for (const [title, env, sentence] of OTHERS) {
    it(title, () => {
      const found = problems(env);
      assert.equal(found.length, 1, found.join(" | "));
      assert.match(found[0]!, sentence);
    });
  }

  for (const url of [
    "mysql://fleetport:secret@127.0.0.1/fleetport",
    "fleetport:secret@127.0.0.1",
    "postgresql://",
    "postgresql://fleetport:sec ret@127.0.0.1/fleetport",
    "postgresql://fleetport:secret#1@127.0.0.1:5432/fleetport",
    "postgresql://fleetport:secret@127.0.0.1:port/fleetport",
  ]) {
    it(`DATABASE_URL=${url}, without repeating it, for it may hold a password`, () => {
      const found = problems({ DATABASE_URL: url });
      assert.equal(found.length, 1, found.join(" | "));
      assert.match(
        found[0]!,
        /^DATABASE_URL must be a URL such as postgresql:\/\/user:password@host:5432\/.+\.$/,
      );
      assert.doesNotMatch(found[0]!, /sec/);
    });
  }

  it("NATS_URL=nats://u:sec ret@127.0.0.1, without repeating it, for it may hold a password", () => {
    const found = problems({ ...DISTRIBUTED, NATS_URL: "nats://u:sec ret@127.0.0.1" });
    assert.equal(found.length, 1, found.join(" | "));
    assert.match(found[0]!, /^NATS_URL must be nats:\/\/host:port, nats:\/\/user:password@host:port/);
    assert.doesNotMatch(found[0]!, /sec/);
  });

  for (const url of ["http://:secret@127.0.0.1", "secret@127.0.0.1:6379", "redis://:secret@127.0.0.1:port"]) {
    it(`REDIS_URL=${url}, without repeating it, for it may hold a password`, () => {
      const found = problems({ REDIS_URL: url });
      assert.equal(found.length, 1, found.join(" | "));
      assert.match(found[0]!, /^REDIS_URL must be a URL such as redis:\/\/host:port/);
      assert.doesNotMatch(found[0]!, /sec/);
    });
  }

  it("and several are all listed at once, a line for each", () => {
    const names = ["FLEET_GROUPS", "PORT", "FLEET_LOG_LEVEL", "HOST", "NATS_URL", "FLEET_NODE_ID"];
    const found = problems({
      DATABASE_URL: POSTGRES,
      FLEET_GROUPS: "none",
      PORT: "70000",
      FLEET_LOG_LEVEL: "x",
      HOST: "10.0.0.1",
      NATS_URL: "nats:/a",
      FLEET_NODE_ID: "a b",
    });
    assert.equal(found.length, names.length);
    for (const name of names)
      assert.ok(
        found.some((line) => line.startsWith(name)),
        name,
      );
  });
});
