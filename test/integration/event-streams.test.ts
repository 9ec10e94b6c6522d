/** @module Limits of event streams: slow clients, how many there are, comments, the end. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ConsoleRefused } from "../../services/gateway/console-errors.ts";
import { type EventStreamOptions, EventStreams } from "../../services/gateway/event-stream.ts";
import { parseTopics } from "../../services/gateway/topics.ts";
import { EventSource } from "../helpers/event-source.ts";
import { until } from "../helpers/until.ts";

describe("Event streams", () => {
  let server: Server;
  let streams: EventStreams;
  let url: string;
  const sources: EventSource[] = [];
  const problems: string[] = [];

  async function serve(options: Partial<EventStreamOptions> = {}): Promise<void> {
    streams = new EventStreams({
      nodeId: "n",
      bufferBytes: 64 * 1024,
      maxStreams: 4,
      commentMs: 60_000,
      retryMs: 100,
      ask: () => Promise.resolve(null),
      onProblem: (message) => problems.push(message),
      ...options,
    });
    server = createServer((request, response) => {
      try {
        streams.open(request, response, parseTopics("corrosion,agent_state"), {});
      } catch (error) {
        if (!(error instanceof ConsoleRefused)) throw error;
        response.writeHead(error.status).end(`${error.code}: ${error.message}`);
      }
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  async function listen(options = {}): Promise<EventSource> {
    const source = await EventSource.open(url, "any", options);
    sources.push(source);
    return source;
  }
  const ready = (n: number, text = "") =>
    streams.publish({ event: "corrosion.ready", sender: "n", payload: { node_id: "n", n, text } });

  afterEach(async () => {
    for (const source of sources.splice(0)) source.close();
    problems.splice(0);
    streams.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it("do not count a client that had left before its stream was opened", async () => {
    await serve();
    const gone = Promise.withResolvers<void>();
    server.removeAllListeners("request").on("request", (request, response) => {
      response.on("close", () => {
        streams.open(request, response, parseTopics("corrosion"), {});
        gone.resolve();
      });
    });
    const leaving = get(url).on("error", () => undefined);
    await once(server, "request");
    leaving.destroy();
    await gone.promise;
    assert.equal(streams.size, 0);
  });

  it("drop a client that reads nothing, and the others miss nothing", async () => {
    await serve();
    const slow = await listen({ paused: true });
    const quick = await listen();
    let sent = 0;
    await until("the slow one is dropped", async () => {
      ready(sent, "x".repeat(128 * 1024));
      sent += 1;
      await quick.untilEvents(sent);
      return streams.size === 1;
    });
    assert.deepEqual(
      quick.events.map(({ data }) => (data as { n: number }).n),
      Array.from({ length: sent }, (_, i) => i),
    );
    assert.equal(problems.filter((text) => /too slowly/.test(text)).length, 1);
    slow.read();
    await until("it is cut", () => slow.ended === "cut");
  });

  it("drop a client for which too much waits until its state is known", async () => {
    await serve({ ask: () => new Promise(() => {}) });
    await listen();
    const state = { event: "agent_state", sender: "n", payload: { node_id: "n", text: "x".repeat(20_000) } };
    for (let n = 0; n < 3; n++) streams.publish(state);
    assert.equal(streams.size, 1);
    streams.publish(state);
    assert.equal(streams.size, 0);
  });

  it("send a comment whenever its time has come", async () => {
    await serve({ commentMs: 20 });
    const source = await listen();
    await until(
      "three comments",
      () => source.text.split("\n\n").filter((block) => block.startsWith(":")).length >= 3,
    );
    assert.deepEqual(source.events, []);
  });

  it("are limited in number, and one that ends makes room", async () => {
    await serve({ maxStreams: 2 });
    const first = await listen();
    await listen();
    const refused = await fetch(url);
    assert.equal(refused.status, 503);
    assert.match(await refused.text(), /too_many_streams: this node has 2 event streams/);
    first.close();
    await until("there is room", () => streams.size === 1);
    await listen();
  });

  it("spread the time after which their clients return", async () => {
    await serve();
    const hints = new Set<string>();
    for (let n = 0; n < 4; n++) {
      const source = await listen();
      const [hint = ""] = await until("the hint", () => /retry: \d+/.exec(source.text));
      hints.add(hint);
    }
    assert.ok([...hints].every((hint) => Number(hint.slice(7)) >= 100 && Number(hint.slice(7)) <= 200));
    assert.ok(hints.size > 1);
  });

  it("write an event once for all who listen, with one id", async () => {
    await serve();
    const [one, two] = [await listen(), await listen()];
    ready(1);
    assert.deepEqual(await one.untilEvents(1), await two.untilEvents(1));
  });

  it("end at the close, and none is opened after it", async () => {
    await serve();
    const source = await listen();
    streams.close();
    await until("the end", () => source.ended === "end");
    assert.equal((await fetch(url)).status, 503);
    ready(1);
    assert.equal(streams.size, 0);
  });
});
