/** @module Where members come from when the admin socket cannot be used: the command line, else the agent's table. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { identify } from "../../lib/process-identity.ts";
import { EMBEDDED } from "../../services/corrosion/agent/program.ts";
import type { AgentStatus, Membership } from "../../services/corrosion/contract.ts";
import { CommandFailed, clusterMembers } from "../../services/corrosion/members/cli.ts";
import members from "../../services/corrosion/members.service.ts";
import { EmbeddedAgent } from "../helpers/embedded-agent.ts";
import { testBroker } from "../helpers/gateway.ts";
import { until } from "../helpers/until.ts";

describe("Members without an admin socket", function () {
  this.timeout(60_000);
  let folder: string;
  let agent: EmbeddedAgent;
  let other: EmbeddedAgent;
  const brokers: ServiceBroker[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "fp-cli-"));
    agent = await EmbeddedAgent.start();
    other = await EmbeddedAgent.start({ bootstrap: [agent.gossipAddr] });
    await until(
      "the table has the other one",
      async () => (await agent.rows("SELECT 1 FROM __corro_members")).length === 1,
    );
  });
  after(async () => {
    await Promise.all([agent.stop(), other.stop()]);
    rmSync(folder, { recursive: true });
  });
  afterEach(async () => {
    await Promise.all(brokers.splice(0).map((broker) => broker.stop()));
  });

  /** A program that a shell runs. */
  function script(name: string, text: string): string {
    const file = join(folder, name);
    writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return file;
  }

  /** A node whose agent has no admin socket that answers; a run of the command line may take 500 ms. */
  async function start(fields: Partial<AgentStatus>, cliLimitMs = 500): Promise<() => Promise<Membership>> {
    const { broker } = testBroker({ env: { MEMBERS_REFRESH_MS: "600000" } });
    brokers.push(broker);
    const status = {
      state: "running",
      kind: "binary",
      managed: false,
      api_url: agent.api,
      admin_path: join(folder, "none.sock"),
      gossip_addr: agent.gossipAddr,
      config_path: agent.configPath,
      ...fields,
    };
    broker.createService({ name: "corrosion.agent", actions: { status: () => status } });
    broker.createService({ ...members, settings: { cliLimitMs } });
    await broker.start();
    return () => broker.call<Membership, object>("corrosion.members.refresh", {}, { nodeID: broker.nodeID });
  }

  const wrapper = () => script("corrosion", `exec ${EMBEDDED.file} ${EMBEDDED.args.join(" ")} "$@"`);

  it("come from the command line, their states from the agent's table", async () => {
    const refresh = await start({ program: wrapper() }, 15_000);
    const { error, members: found } = await refresh();
    assert.equal(error, null);
    assert.deepEqual(
      found.map(({ address, self, state }) => [address, self, state]),
      [
        [agent.gossipAddr, true, "Alive"],
        [other.gossipAddr, false, "Alive"],
      ],
    );
    assert.ok(BigInt(found[1]?.ts ?? 0) > 2n ** 53n);
    assert.ok((found[1]?.rtts.length ?? 0) > 0);
  });

  it("come from the command line of the embedded agent just so", async () => {
    const refresh = await start({ kind: "embedded", program: "embedded development agent" }, 15_000);
    const { error, members: found } = await refresh();
    assert.deepEqual([error, found.length], [null, 2]);
  });

  it("come from the table where somebody else runs the agent", async () => {
    const refresh = await start({ kind: "external", admin_path: null, config_path: null, program: "" });
    const { error, members: found } = await refresh();
    assert.equal(error, null);
    assert.deepEqual(
      found.map(({ address, state }) => [address, state]),
      [
        [agent.gossipAddr, "Alive"],
        [other.gossipAddr, "Alive"],
      ],
    );
  });

  it("are not waited for when the command line hangs: it is killed with all that it started, and fetching ends", async () => {
    const pids = join(folder, "pids");
    const refresh = await start({ program: script("hangs", `sleep 1000 &\necho $$ $! > ${pids}\nwait`) });
    const began = performance.now();
    const { cache_status, error, members: found } = await refresh();
    assert.ok(performance.now() - began < 10_000);
    assert.match(error ?? "", /"cluster members" of .*hangs gave no answer in 0.5 s and was killed/);
    assert.deepEqual([cache_status.status, found], ["error", []]);
    await until("nothing of it runs", () => {
      const started = readFileSync(pids, "utf8").trim().split(" ").map(Number);
      return started.every((pid) => identify(pid) === null);
    });
    assert.deepEqual(members.settings, { cliLimitMs: 15_000 });
  });

  it("stay as they were, with the reason, when the command line fails later", async () => {
    const file = wrapper();
    const refresh = await start({ program: file }, 15_000);
    const good = await refresh();
    script("corrosion", "echo 'no such thing' >&2; exit 3");
    const failed = await refresh();
    assert.deepEqual(failed.members, good.members);
    assert.equal(failed.cache_status.last_updated, good.cache_status.last_updated);
    assert.match(failed.error ?? "", /failed: no such thing$/);
    script("corrosion", "echo '{ \"id\": '");
    assert.match((await refresh()).error ?? "", /printed what is no list of members/);
    script("corrosion", "kill -9 $$");
    assert.match((await refresh()).error ?? "", /failed: it was ended by SIGKILL$/);
    const missing = await start({ program: join(folder, "nothing") });
    assert.match((await missing()).error ?? "", /cannot be run: spawn .*ENOENT/);
  });

  it("are not asked for any more when the node stops", async () => {
    const marker = join(folder, "marker");
    const refresh = await start({ program: script("waits", `touch ${marker}; sleep 1000`) }, 60_000);
    const asked = refresh().catch(() => null);
    await until("the command runs", () => existsSync(marker));
    const began = performance.now();
    await Promise.all(brokers.splice(0).map((broker) => broker.stop()));
    assert.ok(performance.now() - began < 10_000);
    await asked;
  });

  it("are refused when there are too many of them to be true", async () => {
    const command = { program: script("floods", "yes '{}'"), args: [] };
    const asked = clusterMembers(command, new AbortController().signal, 30_000);
    await assert.rejects(
      asked,
      (error: unknown) => error instanceof CommandFailed && /more than \d+ bytes/.test(error.message),
    );
  });
});
