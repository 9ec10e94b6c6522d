/** @module `fleetport demo` as a person runs it, on a fleet that runs in another process. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readDemo } from "../../bin/demo.ts";
import { shortFolder } from "../helpers/agent-node.ts";
import { UNREACHABLE } from "../helpers/database.ts";
import { request } from "../helpers/http.ts";
import { freePort, Program } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";

const USAGE = /^Usage: npm run demo/m;

describe("fleetport demo", function () {
  this.timeout(120_000);
  let folder: string;
  let env: Record<string, string>;
  let fleet: Program;
  const demo = (...args: string[]) => new Program("demo", env, args);

  before(async () => {
    folder = shortFolder();
    env = {
      DATA_DIR: join(folder, "d"),
      FLEET_LOG_DIR: join(folder, "logs"),
      FLEET_GROUPS: "4",
      DATABASE_URL: UNREACHABLE,
      PORT: String(await freePort(4)),
      API_PORT: String(await freePort(4)),
      CORROSION_MODE: "embedded",
      CORROSION_API_PORT: String(await freePort(4)),
      CORROSION_GOSSIP_PORT: String(await freePort(4)),
    };
  });
  after(async () => {
    await fleet?.end();
    await rm(folder, { recursive: true, force: true });
  });

  it("waits for a fleet that is starting, and prints each node's acknowledgements and latencies", async () => {
    const early = demo("2", "shown", "4", "20");
    fleet = new Program("up", env, ["3", "--no-repl"]);
    const { code } = await early.exited;
    assert.equal(code, 0, early.output);
    assert.match(early.output, /^Experiment shown: 4 messages, 8 of 8 acknowledgements, ack rate 100\.0 %$/m);
    // Two senders in turn: the third node acknowledges all, each sender those of the other one.
    for (const [node, acks] of [
      ["dev-node1", 2],
      ["dev-node2", 2],
      ["dev-node3", 4],
    ]) {
      assert.match(early.output, new RegExp(`^${node} +${acks}( +\\d+\\.\\d){5}$`, "m"));
    }
    for (const stage of ["health", "start", "send", "wait", "stop"]) {
      assert.match(early.output, new RegExp(`^${stage} .*\\(\\d+\\.\\d\\d s\\)$`, "m"));
    }
  });

  it("ends its run, so that the next one can begin under an id of its own", async () => {
    const second = demo();
    const { code } = await second.exited;
    assert.equal(code, 0, second.output);
    assert.match(second.output, /^Experiment demo-\d{8}-\d{6}: 3 messages, 6 of 6/m);
  });

  it("ends with 1 and a sentence where a run is on already, and leaves that alone", async () => {
    const url = `http://127.0.0.1:${Number(env.PORT) + 3}`;
    await request(url, "POST", "/api/analytics/aggregation/start", { experiment_id: "mine" });
    const refused = demo("1", "other");
    const { code } = await refused.exited;
    assert.equal(code, 1);
    assert.match(refused.output, /409: Experiment mine, led by dev-node3, is on/);
    const status = await request(url, "GET", "/api/analytics/aggregation/status");
    assert.equal((status.body as unknown as { experiment: { id: string } }).experiment.id, "mine");
    await request(url, "POST", "/api/analytics/aggregation/stop");
  });

  it("ends with 1, and its usage or the rule, for arguments that mean nothing", async () => {
    const wrong = [
      ["0"],
      ["11"],
      ["x"],
      ["2", "id", "0"],
      ["2", "id", "1001"],
      ["2", "id", "3", "-1"],
      ["2", "id", "3", "1", "z"],
    ];
    for (const args of wrong) assert.throws(() => readDemo(args, new Date()), USAGE, args.join(" "));
    const hostile = demo("1", "../x");
    assert.equal((await hostile.exited).code, 1);
    assert.match(hostile.output, /experiment_id.*must be 1 to 64/);
  });

  it("says after 30 s that no fleet is there, and how to start one", async () => {
    await fleet.end();
    const lonely = demo();
    await until("it gave up", () => !lonely.running, 60_000);
    assert.equal((await lonely.exited).code, 1);
    assert.match(lonely.output, /not healthy after 30 s: nothing answers at http.*npm start/);
  });
});
