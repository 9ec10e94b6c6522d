/** @module What a node tells about itself, and that no secret is in anything that it answers. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import analyticsStore from "../../services/analytics/store.service.ts";
import agent from "../../services/corrosion/agent.service.ts";
import configuration from "../../services/corrosion/config.service.ts";
import type { NodeFacts } from "../../services/corrosion/contract.ts";
import coordinator from "../../services/corrosion/coordinator.service.ts";
import discovery from "../../services/corrosion/discovery.service.ts";
import identity from "../../services/corrosion/identity.service.ts";
import members from "../../services/corrosion/members.service.ts";
import node from "../../services/corrosion/node.service.ts";
import query from "../../services/corrosion/query.service.ts";
import subscriber from "../../services/corrosion/subscriber.service.ts";
import { CONSOLE_ROUTES } from "../../services/gateway/routes/console.ts";
import { agentEnv } from "../helpers/agent-node.ts";
import { AGENT, actors, ask, CONFIGURATION, targetOf } from "../helpers/console.ts";
import { EventSource } from "../helpers/event-source.ts";
import { startGateway, type TestGateway } from "../helpers/gateway.ts";
import { freePort } from "../helpers/program.ts";

describe("The node's facts", () => {
  let gate: TestGateway | undefined;
  let dataDir: string;
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "facts-"));
  });
  afterEach(async () => {
    await gate?.stop();
    gate = undefined;
  });
  after(() => rm(dataDir, { recursive: true, force: true }));

  async function over(api_url: string, env: Record<string, string> = {}): Promise<TestGateway> {
    const own = actors({
      "corrosion.agent.status": () => ({ ...AGENT, api_url }),
      "corrosion.config.get": () => CONFIGURATION,
    });
    gate = await startGateway({
      services: [...own, node, { name: "raft.g001" }, { name: "raft.g002.follower" }],
      nodeId: "ams-1",
      env: { DATA_DIR: dataDir, ...env },
    });
    return gate;
  }

  it("say who and where it is, what runs in it, and which files it has", async () => {
    await mkdir(join(dataDir, "node1"), { recursive: true });
    await writeFile(join(dataDir, "node1", "state.db"), "12345");
    const gate = await over("http://127.0.0.1:1", { NODE_ID: "1" });
    const reply = await ask(gate, "GET /api/node");
    const facts = reply.body as unknown as NodeFacts;
    assert.equal(reply.status, 200);
    assert.deepEqual(
      [facts.node_id, facts.region, facts.environment, facts.mode],
      ["ams-1", "ams", "dev", "embedded"],
    );
    assert.deepEqual([facts.engines.agent, facts.engines.database], ["embedded", null]);
    assert.equal(facts.versions.node, process.versions.node);
    assert.match(facts.versions.moleculer, /^0\.15\./);
    assert.match(facts.versions.fleetport, /^\d+\.\d+\.\d+$/);
    assert.equal(facts.ports.web, gate.port);
    assert.deepEqual([facts.ports.ack, facts.ack_endpoint], [5001, null]);
    assert.equal(facts.urls.web, gate.url);
    assert.deepEqual(facts.services, ["corrosion.agent", "corrosion.config", "corrosion.node", "gateway"]);
    assert.deepEqual([facts.leads, facts.follows], [1, 1]);
    assert.ok(facts.memory.rss_bytes > 1e6 && facts.uptime_s >= 0);
    assert.equal(facts.agent?.pid, AGENT.pid);
    assert.deepEqual(facts.configuration?.hosts, CONFIGURATION.hosts);
    assert.equal(facts.variables.NODE_ID, "1");
    assert.equal(facts.variables.CONSOLE_TOKEN, null);
    const [file] = facts.files;
    assert.deepEqual([file?.path, file?.bytes], [join(dataDir, "node1", "state.db"), 5]);
    assert.match(file?.modified_at ?? "", /^\d{4}-.*\.\d{6}Z$/);
    assert.deepEqual(facts.problems, []);
  });

  it("name the database as somebody else's where its address was given", async () => {
    const gate = await over("http://127.0.0.1:1", { DATABASE_URL: "postgresql://u:geheim@127.0.0.1:1/db" });
    const { body, text } = await ask(gate, "GET /api/node");
    assert.equal((body as unknown as NodeFacts).engines.database, "external");
    assert.ok(!text.includes("geheim"));
  });

  it("are there without an agent's actor, and say what is missing", async () => {
    gate = await startGateway({ services: [node], env: { DATA_DIR: join(dataDir, "none") } });
    const { status, body } = await ask(gate, "GET /api/node");
    assert.equal(status, 200);
    assert.deepEqual([body.agent, body.configuration, body.files], [null, null, []]);
    assert.equal((body.problems as string[]).length, 2);
  });

  it("include a ping: how long the agent took for SELECT 1, or why it did not answer", async () => {
    const statements: string[] = [];
    const server = createServer(async (request, response) => {
      const chunks = await Array.fromAsync(request);
      statements.push(`${request.url} ${Buffer.concat(chunks as Buffer[])}`);
      response.end('{"columns":["1"]}\n{"row":[1,[1]]}\n{"eoq":{"time":1e-5}}\n');
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const gate = await over(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      const { status, body } = await ask(gate, "GET /api/node/ping");
      assert.deepEqual([status, body.ok, body.error], [200, true, null]);
      assert.ok((body.latency_ms as number) > 0);
      assert.match(statements.join(), /^\/v1\/queries\S* "SELECT 1"$/);
    } finally {
      server.closeAllConnections();
      server.close();
    }
    await gate?.stop();
    const { body } = await ask(await over(`http://127.0.0.1:${await freePort()}`), "GET /api/node/ping");
    assert.equal(body.ok, false);
    assert.match(String(body.error), /127\.0\.0\.1/);
  });
});

describe("A secret", () => {
  it("is in no answer, no event and no log line, whatever is asked", async function () {
    this.timeout(60_000);
    const dataDir = await mkdtemp(join(tmpdir(), "fp-"));
    const secret = (n: number) => `s3cr3t-${n}-planted`;
    const env = {
      CONSOLE_TOKEN: secret(1),
      ACK_TOKEN: secret(2),
      CORROSION_API_TOKEN: secret(3),
      DATABASE_URL: `postgresql://user:${secret(4)}@127.0.0.1:1/db?application_name=${secret(5)}`,
      ...(await agentEnv(dataDir)),
      DATA_DIR: dataDir,
      CORROSION_CONFIG_DIR: join(dataDir, "configs"),
      DNS_TTL_MS: "100",
      SOME_PASSWORD: secret(7),
    };
    await writeFile(
      join(await folderOf(dataDir, "configs", "canonical"), "node1.toml"),
      `[api]\naddr = "127.0.0.1:1"\n[api.authz]\nbearer-token = "${secret(6)}"\n[gossip]\naddr = "127.0.0.1:2"\nbootstrap = []\n`,
    );
    const gate = await startGateway({
      services: [
        configuration,
        agent,
        node,
        discovery,
        identity,
        members,
        analyticsStore,
        query,
        coordinator,
        subscriber,
      ],
      env,
      logLevel: "info",
    });
    const source = await EventSource.open(gate.url, "agent_state,cluster_membership,config_job,corrosion");
    try {
      const seen: string[] = [];
      const foreign = { origin: "https://evil.example" };
      const bearer = { authorization: `Bearer ${secret(1)}` };
      for (const route of CONSOLE_ROUTES) {
        for (const headers of [{}, foreign, bearer, { authorization: `Bearer ${secret(9)}` }]) {
          const body =
            route.method === "POST" || route.method === "PUT" ? { sql: "SELECT 1", hosts: [] } : undefined;
          const reply = await ask(gate, targetOf(route), body, headers);
          seen.push(reply.text, ...[...reply.headers].flat());
        }
      }
      for (const path of ["/api/fleet/status", "/health/ready", "/metrics", "/", "/api/nowhere"]) {
        seen.push(await (await fetch(gate.url + path)).text());
      }
      await source.untilEvents(2);
      seen.push(source.text);
      assert.ok(seen.length > 100);
      // The file with a secret was shown, and the variables were.
      assert.ok(seen.some((text) => /bearer-token = \\"\[redacted\]/.test(text)));
      assert.ok(seen.some((text) => text.includes('"CONSOLE_TOKEN":"[redacted]"')));
      for (const text of seen) assert.doesNotMatch(text, /s3cr3t/);
      for (const line of gate.errors) assert.doesNotMatch(line, /s3cr3t/);
    } finally {
      source.close();
      await gate.stop();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});

async function folderOf(...parts: string[]): Promise<string> {
  const folder = join(...parts);
  await mkdir(folder, { recursive: true });
  return folder;
}
