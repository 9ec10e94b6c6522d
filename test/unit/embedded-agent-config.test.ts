/** @module The embedded agent's configuration. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { ConfigUnusable, parseAddress, parseConfig } from "../../corrosion/embedded/config.ts";

const MINIMAL = `[db]\npath = "/d/c.db"\n[api]\naddr = "127.0.0.1:8081"\n[gossip]\naddr = "[::1]:8787"\n`;
const read = (text: string, env: NodeJS.ProcessEnv = {}) => parseConfig(text, env, "f.toml");

function refused(text: string, message: RegExp, env: NodeJS.ProcessEnv = {}): void {
  assert.throws(
    () => read(text, env),
    (error) =>
      error instanceof ConfigUnusable && message.test(error.message) && !error.message.includes("\n"),
  );
}

describe("the embedded agent's configuration", () => {
  it("has the contract's defaults", () => {
    assert.deepEqual(read(MINIMAL), {
      db: { path: "/d/c.db", schemaPaths: [], subscriptionsPath: "/d/subscriptions" },
      api: { addrs: [{ host: "127.0.0.1", port: 8081 }], endpointName: null, bearerToken: null },
      gossip: { addr: { host: "::1", port: 8787 }, externalAddr: null, bootstrap: [], memberId: null },
      admin: { path: "/var/run/corrosion/admin.sock" },
      prometheusAddr: null,
      lacking: [],
    });
  });

  it("reads the canonical files of this repository", () => {
    const folder = new URL("../../corrosion/configs/canonical/", import.meta.url);
    const files = readdirSync(folder);
    assert.ok(files.length > 0);
    for (const file of files) {
      const n = Number(/\d+/.exec(file)?.[0]);
      const config = read(readFileSync(new URL(file, folder), "utf8"));
      assert.deepEqual(config.api.addrs, [{ host: "127.0.0.1", port: 8080 + n }]);
    }
  });

  it("takes several API addresses, aliases, and what this agent does not use", () => {
    const config = read(`[db]
path = "c.db"
cache_size_kib = -1000
[api]
bind_addr = ["127.0.0.1:1", "[::1]:2"]
[api.authz]
bearer-token = "s"
[gossip]
bind_addr = "0.0.0.0:3"
external_addr = "10.0.0.1:3"
member_id = 7
max_mtu = 1300
[admin]
uds_path = "/a.sock"
[telemetry.prometheus]
addr = "127.0.0.1:9"
[perf]
wal_threshold_mb = 5
[reaper]
check_interval = 1
[log]
colors = false`);
    assert.deepEqual(
      config.api.addrs.map(({ port }) => port),
      [1, 2],
    );
    assert.equal(config.api.bearerToken, "s");
    assert.deepEqual(config.gossip.externalAddr, { host: "10.0.0.1", port: 3 });
    assert.equal(config.gossip.memberId, 7);
    assert.equal(config.admin.path, "/a.sock");
    assert.equal(config.prometheusAddr?.port, 9);
    assert.deepEqual(config.lacking, []);
  });

  it("knows the three names of the token", () => {
    for (const table of [
      `authz.bearer = "s"`,
      `authorization.bearer-token = "s"`,
      `authz.authorization = "s"`,
    ]) {
      assert.equal(read(MINIMAL.replace("[gossip]", `${table}\n[gossip]`)).api.bearerToken, "s");
    }
  });

  it("is overridden by the environment", () => {
    const { db, api, gossip } = read(MINIMAL, {
      DB__PATH: "/e.db",
      API__ADDR: "127.0.0.1:9999",
      API__AUTHZ__BEARER: "t",
      GOSSIP__PLAINTEXT: "true",
      GOSSIP__MEMBER_ID: "3",
      HOME: "/root",
      SOME__OTHER: "x",
    });
    assert.equal(db.path, "/e.db");
    assert.deepEqual(api.addrs, [{ host: "127.0.0.1", port: 9999 }]);
    assert.equal(api.bearerToken, "t");
    assert.equal(gossip.memberId, 3);
  });

  it("tells which configured features this agent has not", () => {
    const more = `[gossip.tls]\ncert_file = "a"\n[consul]\n[[api.pg]]\naddr = "127.0.0.1:1"`;
    assert.deepEqual(read(MINIMAL + more).lacking, ["gossip.tls", "api.pg", "consul"]);
  });

  it("says in one sentence what is wrong with it", () => {
    refused("[db", /f\.toml is no TOML: line 1/);
    refused(MINIMAL.replace("[db]", "[xb]"), /has no db\.path: add it/);
    refused(MINIMAL.replace("[api]", "[xpi]"), /has no api\.addr/);
    refused(MINIMAL.replace("[gossip]", "[xossip]"), /has no gossip\.addr/);
    refused(
      MINIMAL.replace("127.0.0.1:8081", "localhost"),
      /api\.addr must be an address .* not "localhost"/,
    );
    refused(MINIMAL.replace('"/d/c.db"', "7"), /db\.path must be a string/);
    refused(`${MINIMAL}member_id = 70000`, /gossip\.member_id must be an integer from 0 to 65535/);
    refused(MINIMAL, /api\.addr must be an address/, { API__ADDR: "nowhere" });
  });

  it("takes addresses with a port only", () => {
    assert.deepEqual(parseAddress("[::]:0"), { host: "::", port: 0 });
    for (const wrong of ["1.2.3.4", "1.2.3.4:70000", "::1:80", "[1.2.3.4]:1", "host:1", ""]) {
      assert.equal(parseAddress(wrong), null, wrong);
    }
  });
});
