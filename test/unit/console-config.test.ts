/** @module The console's part of the configuration: identity, ports and folders of a node, and the TOML made of them. */
import assert from "node:assert/strict";
import { type Config, InvalidConfig, readConfig } from "../../lib/config.ts";
import { readAgentToml } from "../../lib/corrosion/agent-toml.ts";
import { generateToml } from "../../services/corrosion/config/runtime-file.ts";

const DISTRIBUTED = { NATS_URL: "nats://127.0.0.1:4222", DATABASE_URL: "postgresql://127.0.0.1/fleet" };
const FLY = {
  ...DISTRIBUTED,
  FLEETPORT_ENV: "prod",
  FLEET_AUTH_ALLOW_INSECURE: "true",
  FLY_APP_NAME: "fleet-app",
  FLY_REGION: "ams",
  FLY_MACHINE_ID: "148e272b9d1",
  FLY_PRIVATE_IP: "fdaa:0:1::3",
};

const portsOf = ({ console, port }: Config) => [
  port,
  console.ack.port,
  console.agent.apiPort,
  console.agent.gossipPort,
];

function problems(env: Record<string, string>): string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof InvalidConfig) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("The console's configuration", () => {
  it("of an empty environment is the contract's", () => {
    const config = readConfig({}).console;
    assert.deepEqual(config.ack, {
      host: "127.0.0.1",
      port: 5001,
      token: null,
      attempts: 6,
      concurrency: 16,
      deadlineMs: 30_000,
      messageKeep: 1000,
      dedupeMax: 50_000,
      dedupeTtlMs: 86_400_000,
    });
    const { analyticsCacheMs, analyticsIntervalMs, dnsTtlMs, membersRefreshMs, metricsIntervalMs } = config;
    assert.deepEqual(
      [dnsTtlMs, membersRefreshMs, metricsIntervalMs, analyticsIntervalMs, analyticsCacheMs],
      [30_000, 30_000, 5000, 10_000, 2000],
    );
    assert.deepEqual(
      [config.environment, config.node, config.clusterSize, config.token, config.allowedOrigins],
      ["dev", 1, 3, null, []],
    );
    assert.equal(config.agent.mode, "auto");
  });

  it("gives node N of one machine the ports 4000, 5000, 8080 and 8786 + N, a name and a folder", () => {
    for (const n of [1, 2, 10]) {
      const config = readConfig({ ...DISTRIBUTED, NODE_ID: String(n), DATA_DIR: "/d", CLUSTER_SIZE: "3" });
      assert.deepEqual(portsOf(config), [4000 + n, 5000 + n, 8080 + n, 8786 + n]);
      assert.equal(config.nodeId, `dev-node${n}`);
      assert.equal(config.console.agent.adminPath, `/d/node${n}/admin.sock`);
      const others = [1, 2, 3].filter((other) => other !== n);
      assert.deepEqual(
        config.console.agent.bootstrap,
        others.map((other) => `127.0.0.1:${8786 + other}`),
      );
    }
    assert.equal(readConfig({ ...DISTRIBUTED, NODE_ID: "2", FLEETPORT_ENV: "test" }).nodeId, "test-node2");
  });

  it("on Fly is that of the machine: one set of ports, listening on its private address", () => {
    const config = readConfig(FLY);
    assert.equal(config.nodeId, "ams-148e272b9d1");
    assert.deepEqual(portsOf(config), [8080, 8088, 8081, 8787]);
    assert.deepEqual([config.host, config.console.ack.host], ["::", "fdaa:0:1::3"]);
    const shown = { HOST: "10.0.0.7", FLEET_AUTH_ALLOW_INSECURE: "true" };
    assert.equal(readConfig(shown).console.ack.host, "10.0.0.7", "elsewhere it is where the gateway listens");
    const { FLY_MACHINE_ID: _id, FLY_REGION: _region, ...nameless } = FLY;
    assert.equal(readConfig({ ...nameless, NODE_ID: "4" }).nodeId, "fallback-4");
  });

  it("stops the start with a sentence for each value that cannot be used", () => {
    for (const [name, value] of [
      ["ACK_ATTEMPTS", "4"],
      ["ACK_CONCURRENCY", "0"],
      ["ACK_DEADLINE_MS", "soon"],
      ["CLUSTER_SIZE", "11"],
      ["CORROSION_MODE", "real"],
      ["DEDUPE_MAX", "-1"],
      ["FLEETPORT_ENV", "production"],
      ["MESSAGE_KEEP", "0"],
      ["NODE_ID", "11"],
    ] as const) {
      const found = problems({ [name]: value });
      assert.ok(found.length > 0 && found.every((line) => line.startsWith(`${name} must be`)), found.join());
    }
    assert.match(problems({ CORROSION_API_URL: "ftp://a" }).join(), /^CORROSION_API_URL must be a URL/);
    assert.match(problems({ CORROSION_MODE: "external" }).join(), /needs CORROSION_API_URL/);
  });
});

describe("The TOML that is generated for an agent", () => {
  it("has the node's ports and folders, and gossips in plain text", () => {
    const toml = generateToml(readConfig({ NODE_ID: "1", DATA_DIR: "/d" }).console);
    const read = readAgentToml(toml);
    assert.deepEqual(
      [read.apiUrl, read.gossipAddr, read.dbPath, read.subscriptionsPath, read.adminPath],
      [
        "http://127.0.0.1:8081",
        "127.0.0.1:8787",
        "/d/node1/corrosion.db",
        "/d/node1/subscriptions",
        "/d/node1/admin.sock",
      ],
    );
    assert.match(toml, /^plaintext = true$/m);
    assert.doesNotMatch(toml, /max_mtu|disable_gso/);
  });

  it("on Fly meets the app's other machines, with packets that get through its network", () => {
    const toml = generateToml(readConfig(FLY).console);
    const { bootstrap, gossipAddr } = readAgentToml(toml);
    assert.deepEqual([gossipAddr, bootstrap], ["[fdaa:0:1::3]:8787", ["fleet-app.internal:8787"]]);
    // Whole numbers, for real Corrosion takes no others.
    assert.match(toml, /^max_mtu = 1372$/m);
    assert.match(toml, /^disable_gso = true$/m);
  });
});
