/** @module Fleets that must not share their streams, and do: they fence each other, and lose nothing. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { createNode } from "../../bin/start-node.ts";
import { readConfig } from "../../lib/config.ts";
import { Cluster } from "../helpers/cluster.ts";
import { request } from "../helpers/http.ts";
import { createSessions, Load } from "../helpers/load.ts";
import { until } from "../helpers/until.ts";

const GROUPS = 4;
const SESSIONS = Array.from({ length: 16 }, (_, i) => `rival-${i}`);
const PROBE = "rival-probe";
const REFUSED = /FLEET_GROUPS is 5, but .* created with 4 groups/;
/** FLEET_LEADER_LEASE_MS, and what a busy machine needs. */
const LEASE_ENDS_MS = 5000;
const LOAD = { pauseMs: 50, patienceMs: 5000 };

describe("a fleet whose streams are also another fleet's", function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let folder: string;
  const urls = () => cluster.nodes.map(({ url }) => url);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "fleet-rival-"));
    cluster = await Cluster.start({ nodes: 2, groups: GROUPS });
    await createSessions(urls()[0]!, [...SESSIONS, PROBE]);
  });

  after(async () => {
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** A node that the cluster's nodes do not see, for it has another namespace on the bus. */
  function rivalNode(halted: string[]): ServiceBroker {
    const config = readConfig({
      NATS_URL: cluster.nats.servers.join(","),
      DATABASE_URL: cluster.databaseUrl,
      PORT: "0",
      FLEET_NODE_ID: "rival",
      FLEET_GROUPS: String(GROUPS),
      FLEET_DATA_DIR: folder,
      FLEET_LOG_LEVEL: "error",
    });
    const halt = (error: Error) => void halted.push(error.message);
    return createNode(config, { namespace: "rival", halt, retire: () => undefined });
  }

  async function fencedWrites(url: string): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(/^fleet_fenced_writes_total (\d+)$/m.exec(text)?.[1]);
  }

  const joinWithOtherGroups = () => cluster.startNode("n3", { FLEET_GROUPS: String(GROUPS + 1) });

  async function takesAppends(url: string): Promise<boolean> {
    const body = { user_id: "u", content: { url } };
    return (await request(url, "POST", `/api/sessions/${PROBE}/messages`, body)).status === 200;
  }

  it("commits, loses, doubles and reorders nothing against it, whichever of them acknowledged", async () => {
    const halted: string[] = [];
    const rival = rivalNode(halted);
    await rival.start();
    const rivalUrl = String(rival.metadata.url);
    const load = new Load(SESSIONS, () => [...urls(), rivalUrl], LOAD);
    try {
      await until("the load runs", () => load.acknowledged > 100);
      for (const url of [...urls(), rivalUrl]) await until(`${url} takes appends`, () => takesAppends(url));
      for (const url of [rivalUrl, ...urls()]) {
        await until(`a write of ${url} is fenced`, async () => (await fencedWrites(url)) > 0);
      }
      const before = load.acknowledged;
      await until("the load goes on", () => load.acknowledged > before + 100);
    } finally {
      await load.stop();
      await rival.stop();
    }
    assert.deepEqual(halted, []);
    await cluster.settled();
    // What the rival wrote last, a leader here learns of when its lease ends: before that a read may miss it.
    await until("reads show everything", () => load.verify(urls()[0]!), LEASE_ENDS_MS);
    for (const url of urls()) await load.verify(url);
    await cluster.replicasAgree();
  });

  it("goes on without a doubt while a node with another FLEET_GROUPS tries to join, which is refused", async () => {
    const sessions = SESSIONS.map((id) => `${id}-groups`);
    const home = urls();
    await createSessions(home[0]!, sessions);
    const load = new Load(sessions, () => home, LOAD);
    try {
      await assert.rejects(joinWithOtherGroups(), REFUSED);
      await until("the load runs", () => load.acknowledged > 100);
    } finally {
      await load.stop();
    }
    assert.deepEqual(load.doubts, []);
    await cluster.settled();
    for (const url of home) await load.verify(url);
    await cluster.replicasAgree();
  });

  it("gets nothing written by a node with another FLEET_GROUPS, whose sessions would be in other groups", async () => {
    const home = urls();
    const refused = assert.rejects(joinWithOtherGroups(), REFUSED);
    const node = await until("the node runs", () => cluster.nodes.find(({ url }) => !home.includes(url)));
    const answers: string[] = [];
    for (let n = 0; node.program.running; n++) {
      const body = { id: `stray-${n}`, user_id: "u", agent_id: "a" };
      const answer = await request(node.url, "POST", "/api/sessions", body).catch(() => null);
      if (answer) answers.push(`${answer.status} ${answer.body.code ?? ""}`);
    }
    await refused;
    assert.deepEqual(
      answers.filter((answer) => answer.startsWith("2")),
      [],
      "it acknowledged nothing",
    );
  });
});
