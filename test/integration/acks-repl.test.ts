/** @module What an operator types about messages and acknowledgements, over two nodes that really exchange them. */
import assert from "node:assert/strict";
import { ConsoleCommandFailed } from "../../lib/console-repl.ts";
import diagnosis from "../../services/acks/diagnosis.service.ts";
import messages from "../../services/acks/messages.service.ts";
import { ACK_USAGE, ackCommands, runAckCommand } from "../../services/acks/repl.ts";
import sender from "../../services/acks/sender.service.ts";
import tracker from "../../services/acks/tracker.service.ts";
import type { SubscriberStatus } from "../../services/corrosion/contract.ts";
import subscriber from "../../services/corrosion/subscriber.service.ts";
import ackGateway from "../../services/gateway/ack-gateway.service.ts";
import { type ConsoleCluster, type ConsoleNode, startConsole } from "../helpers/console-cluster.ts";
import { until } from "../helpers/until.ts";

const TOKEN = "never shown";

describe("The REPL commands of messages", function () {
  this.timeout(60_000);
  let cluster: ConsoleCluster;
  let a: ConsoleNode;
  let b: ConsoleNode;
  before(async () => {
    const services = [subscriber, tracker, messages, sender, diagnosis, ackGateway];
    cluster = await startConsole({ nodes: 2, services, env: { ACK_TOKEN: TOKEN } });
    await cluster.running();
    [a, b] = cluster.nodes as [ConsoleNode, ConsoleNode];
    for (const { call, id } of [a, b]) {
      await until(`${id} is subscribed`, async () => {
        return (await call<SubscriberStatus>("subscriber.status")).state === "connected";
      });
    }
  });
  after(() => cluster?.stop());

  async function run(line: string, node: string | null = null): Promise<string> {
    const [name = "", ...args] = line.split(" ");
    const printed: string[] = [];
    await runAckCommand(a.broker, { name, args, node }, (text) => void printed.push(text));
    const text = printed.join("\n");
    assert.ok(!text.includes(TOKEN));
    return text;
  }
  async function send(): Promise<string> {
    const [pk = ""] = (await run("acks:send hello")).split(" ");
    assert.match(pk, /^dev-node1_\d+$/);
    return pk;
  }

  it("send a message that the other node receives and acknowledges, and show all of it", async () => {
    const pk = await send();
    const status = await until("the message is complete", async () => {
      const text = await run("acks:status");
      return /complete, 1 of 1/.test(text) ? text : null;
    });
    assert.match(
      status,
      new RegExp(`^${pk} by gossip, sent at .*\n +dev-node2 +after [\\d.]+ ms\nsender: 0 queued`),
    );
    const received = await until("it counts as acknowledged", async () => {
      const text = await run(`receptions:get ${pk}`, b.id);
      return text.includes("acked") ? text : null;
    });
    assert.match(received, new RegExp(`^${pk}  received 1 ×, last \\S+  acked after 1 attempts$`));
    assert.equal(await run("receptions", b.id), `${received}\n1 message`);
    assert.equal(await run("receptions:dup", b.id), "0 messages");
    assert.equal(await run("receptions:dup 1", b.id), `${received}\n1 message`);
    assert.equal(await run("receptions"), "0 messages");
  });

  it("find nothing wrong where nothing is", async () => {
    await send();
    const text = await run("acks:diagnose");
    assert.match(text, /\ndev-node1: nothing is wrong\.$/);
    for (const part of ["agent", "subscriber", "own ack API", "ack API of dev-node2", "tracker", "sender"]) {
      assert.match(text, new RegExp(`^ok +${part}: `, "m"));
    }
  });

  it("find what is wrong", async () => {
    const { ack_endpoint } = b.broker.metadata;
    const { metadata } = a.broker.registry.nodes.get(b.id);
    assert.ok(metadata);
    metadata.ack_endpoint = "127.0.0.1:1";
    try {
      assert.match(
        await run("acks:diagnose"),
        /^PROBLEM +ack API of dev-node2: 127\.0\.0\.1:1: .*ECONNREFUSED[\s\S]*dev-node1: 1 of \d are wrong\.$/m,
      );
    } finally {
      metadata.ack_endpoint = ack_endpoint;
    }
  });

  it("acknowledge by hand, at the node itself and at any endpoint, and show what is answered", async () => {
    const pk = await send();
    assert.match(await run(`acks:test ${pk} dev-node2`), /answered 200 after .*"status":"acknowledged"/);
    assert.match(await run(`acks:test ${pk} mallory`), /answered 403 after /);
    assert.match(await run(`acks:test dev-node1_1 dev-node2`), /answered 404 after /);
    assert.match(await run(`acks:test pubsub_x dev-node2`), /answered 404 .*"request_id":"pubsub_x"/);
    const there = String(b.broker.metadata.ack_endpoint);
    assert.match(await run(`acks:endpoint ${there} ${pk}`), new RegExp(`^${there} answered 404`));
    assert.match(
      await run(`acks:endpoint 127.0.0.1:1 ${pk}`),
      /^127\.0\.0\.1:1 did not answer .*ECONNREFUSED/,
    );
    await assert.rejects(run(`acks:endpoint nowhere ${pk}`), /endpoint is no host:port/);
  });

  it("give the token to nodes of the cluster alone", async () => {
    const { createServer } = await import("node:http");
    const seen: unknown[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers["x-fleetport-token"]);
      response.end("thanks");
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    try {
      const address = server.address();
      const port = typeof address === "object" ? address?.port : 0;
      assert.match(await run(`acks:endpoint 127.0.0.1:${port} x`), /answered 200 after .*: thanks$/);
      assert.deepEqual(seen, [undefined]);
    } finally {
      server.close();
    }
  });

  it("follow the newest message", async () => {
    const pk = await send();
    assert.match(await run("acks:monitor 1"), new RegExp(`${pk} by gossip, .* complete, 1 of 1`));
  });

  it("say how they are used when something is missing, too much or wrong", async () => {
    for (const line of [
      "acks:test",
      "acks:test x",
      "acks:test x y z",
      "receptions:get",
      "acks:status now",
      "acks:none",
    ])
      await assert.rejects(
        run(line),
        (error) => error instanceof ConsoleCommandFailed && /^Usage:/.test(error.message),
      );
    for (const line of ["receptions:dup 0", "receptions:dup x", "acks:monitor 0", "acks:monitor x"])
      await assert.rejects(run(line), /takes a whole number/);
    await assert.rejects(run("receptions:get none"), /has received no message none/);
    await assert.rejects(run("acks:status", "none"), /There is no node "none"/);
  });

  it("are those of the contract, in the REPL too", async () => {
    assert.deepEqual(
      ackCommands.map(({ command }) => command),
      [
        "receptions",
        "receptions:dup [min]",
        "receptions:get <pk>",
        "acks:status",
        "acks:diagnose",
        "acks:test <pk> <node>",
        "acks:monitor [seconds]",
        "acks:endpoint <endpoint> <pk>",
        "acks:send [text]",
      ],
    );
    for (const line of ACK_USAGE.split("\n")) assert.match(line, /^ {2}\S+( \S+)* {2,}\S/);
    const written: string[] = [];
    const { write } = process.stdout;
    process.stdout.write = (text) => (typeof text === "string" ? written.push(text) > 0 : true);
    try {
      const test = ackCommands.find(({ command }) => command.startsWith("acks:test"));
      await test?.action(a.broker, { options: {}, pk: "dev-node1_1", node: "dev-node2" });
      await test?.action(a.broker, { options: { node: "none" }, pk: "p", node: "n" });
    } finally {
      process.stdout.write = write;
    }
    assert.match(written.join(""), /answered 404 [\s\S]*There is no node "none"/);
  });
});
