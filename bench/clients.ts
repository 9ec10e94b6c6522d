/** @module Load generators of the benchmarks: one socket connection, or keep-alive HTTP connections. */
import { once } from "node:events";
import { Agent, request } from "node:http";
import { WebSocket } from "ws";

export interface Measured {
  readonly perSecond: number;
  /** Latencies in milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Sends one message and resolves when it is acknowledged. */
export type Send = (session: string) => Promise<void>;

/** Nearest-rank percentile of ascending values. */
function percentile(sorted: readonly number[], p: number): number {
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** Keeps `depth` appends in flight over the sessions in turn until `total` are acknowledged. */
export async function measure(
  send: Send,
  sessions: readonly string[],
  depth: number,
  total: number,
): Promise<Measured> {
  const latencies: number[] = [];
  let next = 0;
  const began = performance.now();
  const worker = async () => {
    while (next < total) {
      const session = sessions[next++ % sessions.length]!;
      const sent = performance.now();
      await send(session);
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: depth }, worker));
  const seconds = (performance.now() - began) / 1000;
  latencies.sort((a, b) => a - b);
  return { perSecond: total / seconds, p50: percentile(latencies, 50), p99: percentile(latencies, 99) };
}

/** Content whose message is 200 bytes of text. */
const content = { text: "x".repeat(200) };

/** One Phoenix Channels connection that has joined all the sessions. */
export async function socketClient(
  url: string,
  sessions: readonly string[],
): Promise<{ send: Send; close(): void }> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/socket/websocket?vsn=2.0.0&user_id=u`);
  await once(socket, "open");
  const waiting = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  let ref = 0;
  socket.on("message", (data) => {
    const [, reply, , event, payload] = JSON.parse(String(data)) as [
      unknown,
      string,
      string,
      string,
      { status: string },
    ];
    if (event !== "phx_reply") return;
    const waiter = waiting.get(reply);
    waiting.delete(reply);
    if (payload.status === "ok") waiter?.resolve();
    else waiter?.reject(new Error(JSON.stringify(payload)));
  });
  const push = (topic: string, event: string, payload: object) =>
    new Promise<void>((resolve, reject) => {
      const own = String(++ref);
      waiting.set(own, { resolve, reject });
      // A null join_ref means the channel that is joined; a join names its own.
      socket.send(JSON.stringify([event === "phx_join" ? own : null, own, topic, event, payload]));
    });
  for (const session of sessions) await push(`session:${session}`, "phx_join", {});
  return {
    send: (session) => push(`session:${session}`, "send", { content: { content } }),
    close: () => socket.close(),
  };
}

/** Keep-alive connections to one gateway. */
export function httpClient(url: string): { send: Send; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const body = JSON.stringify({ user_id: "u", content });
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return {
    send: (session) =>
      new Promise((resolve, reject) => {
        const path = `${url}/api/sessions/${session}/messages`;
        const sent = request(path, { method: "POST", agent, headers }, (response) => {
          response.resume();
          response.on("end", () =>
            response.statusCode === 200 ? resolve() : reject(new Error(`HTTP ${response.statusCode}`)),
          );
        });
        sent.on("error", reject);
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}
