/** @module A node of a distributed fleet that cannot start says why, in one sentence, with exit code 1. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freshDatabase, UNREACHABLE } from "../helpers/database.ts";
import { request } from "../helpers/http.ts";
import { type NatsServers, startNats } from "../helpers/nats.ts";
import { freePort, Program } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";

describe("fleetport node", () => {
  let folder: string;
  let nats: NatsServers | null;
  const programs: Program[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "fleet-node-"));
    nats = null;
  });
  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.end("SIGKILL")));
    await nats?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function node(natsUrl: string, env: Record<string, string> = {}): Promise<Program> {
    const program = new Program("node", {
      NATS_URL: natsUrl,
      DATABASE_URL: UNREACHABLE,
      PORT: String(await freePort()),
      FLEET_NODE_ID: "n1",
      FLEET_GROUPS: "8",
      FLEET_DATA_DIR: folder,
      FLEET_LOG_LEVEL: "error",
      ...env,
    });
    programs.push(program);
    return program;
  }

  async function refused(program: Program, sentence: RegExp): Promise<void> {
    const { code } = await program.exited;
    assert.equal(code, 1, program.output);
    assert.match(program.output, sentence);
  }

  it("stops when NATS cannot be reached", async () => {
    const port = await freePort();
    await refused(
      await node(`nats://127.0.0.1:${port}`),
      /^NATS cannot be reached at .*correct NATS_URL\.$/m,
    );
  });

  it("stops when NATS_URL is missing, and says what it should be", async () => {
    const program = new Program("node", {});
    programs.push(program);
    await refused(program, /^NATS_URL is required/m);
  });

  it("stops when DATABASE_URL is missing, and says what it should be", async () => {
    await refused(
      await node("nats://127.0.0.1:4222", { DATABASE_URL: "" }),
      /^NATS_URL is set, and the distributed mode then needs DATABASE_URL: .*postgresql:\/\/.*\.$/m,
    );
  });

  it("stops when the NATS server has no JetStream, and says how to start it", async () => {
    nats = await startNats({ size: 1, jetstream: false });
    await refused(await node(nats.servers[0]!), /JetStream.*-js/);
  });

  it("stops when FLEET_GROUPS differs from what the streams were made with", async () => {
    nats = await startNats({ size: 1 });
    await (await (await node(nats.servers[0]!)).ready()).end("SIGTERM");
    await refused(
      await node(nats.servers[0]!, { FLEET_GROUPS: "9" }),
      /FLEET_GROUPS is 9, but .* created with 8 groups/,
    );
  });

  it("leads every group alone on one NATS server, finds its data again, and says that it keeps one copy", async () => {
    nats = await startNats({ size: 1 });
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const env = { PORT: String(port), DATABASE_URL: await freshDatabase(), FLEET_LOG_LEVEL: "warn" };
    const first = await (await node(nats.servers[0]!, env)).ready();
    await request(url, "POST", "/api/sessions", { id: "s", user_id: "u", agent_id: "a" });
    const { body } = await request(url, "POST", "/api/sessions/s/messages", {
      user_id: "u",
      content: { n: 1 },
    });
    await first.end("SIGTERM");
    await (await node(nats.servers[0]!, env)).ready();
    const page = await request(url, "GET", "/api/sessions/s/messages");
    assert.deepEqual(page.body.messages, [body.message]);
    const status = await (await fetch(`${url}/api/fleet/status`)).json();
    assert.match(JSON.stringify(status), /"warnings":\["[^"]*cop/);
    const line = /^.*8 logs have 1 of the 3 copies wanted.*$/gm;
    assert.equal(first.output.match(line)?.length, 1, "it is logged once");
    assert.equal(JSON.parse(first.output.match(line)![0]).level, 40);
    assert.match(await (await fetch(`${url}/metrics`)).text(), /^fleet_engine_warnings 1$/m);
  });

  for (const [what, credentials, right, wrong] of [
    [
      "a user name and a password",
      { user: "fleet", password: "right/one" },
      "fleet:right%2Fone",
      "fleet:wrong",
    ],
    ["a token", { token: "right-one" }, "right-one", "wrong"],
  ] as const) {
    it(`enters NATS servers that want ${what}, appends and reads there, and never shows it`, async () => {
      nats = await startNats({ size: 1, credentials });
      const address = nats.servers[0]!.replace("nats://", "");
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      const env = { PORT: String(port), DATABASE_URL: await freshDatabase(), FLEET_LOG_LEVEL: "info" };
      const program = await (await node(`nats://${right}@${address}`, env)).ready();
      await request(url, "POST", "/api/sessions", { id: "s", user_id: "u", agent_id: "a" });
      const message = { user_id: "u", content: { n: 1 } };
      const { body } = await request(url, "POST", "/api/sessions/s/messages", message);
      const page = await request(url, "GET", "/api/sessions/s/messages");
      assert.deepEqual(page.body.messages, [body.message]);
      const status = await (await fetch(`${url}/api/fleet/status`)).text();
      assert.match(program.output, new RegExp(`bus nats://${address}$`, "m"));
      assert.doesNotMatch(program.output + status, /right/);
    });

    it(`stops when the servers want ${what} and it is wrong or missing, without repeating it`, async () => {
      nats = await startNats({ size: 1, credentials });
      const address = nats.servers[0]!.replace("nats://", "");
      const refusedOne = await node(`nats://${wrong}@${address}`);
      await refused(
        refusedOne,
        new RegExp(`^NATS at nats://${address} refuses the .* correct (them|it)\\.$`, "m"),
      );
      assert.doesNotMatch(refusedOne.output, /wrong/);
      await refused(await node(`nats://${address}`), /wants to know who connects: .*user:password@host:port/);
    });
  }

  it("stops in order while its NATS servers are gone, and logs no error for it", async () => {
    nats = await startNats({ size: 1 });
    const program = await (await node(nats.servers[0]!, { FLEET_LOG_LEVEL: "warn" })).ready();
    await nats.kill(0);
    await until("it has noticed", () => program.output.includes("NATS connection lost"));
    const noticed = program.output.length;
    assert.deepEqual(await program.end("SIGTERM"), { code: 0, signal: null });
    assert.doesNotMatch(program.output.slice(noticed), /"level":50|DISCONNECT/);
  });

  it("starts and serves while Postgres is away, says so, and never shows the password", async () => {
    nats = await startNats({ size: 1 });
    const port = await freePort();
    const program = await node(nats.servers[0]!, { PORT: String(port), FLEET_LOG_LEVEL: "warn" });
    await program.ready();
    const ready = await request(`http://127.0.0.1:${port}`, "GET", "/health/ready");
    assert.equal(ready.status, 200);
    await until("it says that the archive is away", () =>
      /ECONNREFUSED.*the archive is not available/.test(program.output),
    );
    assert.doesNotMatch(program.output, /secret/);
  });

  it("answers 503 with Retry-After while its log cannot be reached, is not ready, and goes on after it", async () => {
    nats = await startNats({ size: 1 });
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const env = {
      PORT: String(port),
      DATABASE_URL: await freshDatabase(),
      FLEET_LEADER_LEASE_MS: "300",
      FLEET_LOG_LEVEL: "info",
    };
    const program = await (await node(nats.servers[0]!, env)).ready();
    await request(url, "POST", "/api/sessions", { id: "s", user_id: "u", agent_id: "a" });
    await nats.kill(0);
    const read = await until("reads are refused", async () => {
      const answer = await request(url, "GET", "/api/sessions/s/messages");
      return answer.status === 503 ? answer : null;
    });
    assert.equal(read.body.code, "leader_unavailable");
    assert.ok(Number(read.headers.get("retry-after")) >= 1);
    const unready = await until("it is not ready", async () => {
      const answer = await request(url, "GET", "/health/ready");
      return answer.status === 503 ? answer : null;
    });
    assert.equal(unready.body.status, "degraded");
    assert.equal(unready.body.reason, "bus_disconnected");
    const append = await request(url, "POST", "/api/sessions/s/messages", {
      user_id: "u",
      content: { n: 1 },
    });
    assert.ok(append.status === 503 || append.status === 504, String(append.status));
    await nats.restart(0);
    await until("it is ready again", async () => (await request(url, "GET", "/health/ready")).status === 200);
    const again = await until("appends are taken again", async () => {
      const answer = await request(url, "POST", "/api/sessions/s/messages", {
        user_id: "u",
        content: { n: 2 },
        idempotency_key: "k",
      });
      return answer.status === 200 ? answer : null;
    });
    const page = await request(url, "GET", "/api/sessions/s/messages");
    assert.deepEqual(page.body.messages.at(-1), again.body.message);
    assert.equal(program.output.match(/"NATS connection lost"/g)?.length, 1);
    assert.equal(program.output.match(/"NATS connection restored"/g)?.length, 1);
  });
});
