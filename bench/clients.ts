/** @module Clients of a fleet: socket connections and keep-alive HTTP connections, spread over its nodes. */
import { once } from "node:events";
import { Agent, request } from "node:http";
import pLimit from "p-limit";
import { WebSocket } from "ws";
import { groupOf } from "../lib/ids.ts";
import { until } from "../test/helpers/until.ts";
import type { Send } from "./measure.ts";

/** Appends to its sessions in turn. */
export interface Client {
  readonly send: Send;
  close(): void;
}

/** Bytes of text in each message, as with all peers. */
export const MESSAGE_BYTES = 200;
const content = { text: "x".repeat(MESSAGE_BYTES) };

const JOINS_AT_A_TIME = 64;

/** Only replies are looked at; parsing every pushed message would measure this client. */
const REPLY = /^\[[^,]*,"(\d+)","[^"]*","phx_reply",\{"status":"(\w+)"/;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** One Phoenix Channels connection. */
export class SocketConnection {
  readonly #ws: WebSocket;
  readonly #waiting = new Map<string, Waiter>();
  #ref = 0;
  /** Called with each frame that is not a reply. */
  onPush: (frame: string) => void = () => {};

  private constructor(ws: WebSocket) {
    this.#ws = ws;
    ws.on("message", (data) => this.#received(String(data)));
    ws.on("error", () => {}); // "close" follows
    ws.on("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the socket was closed"));
      this.#waiting.clear();
    });
  }

  static async open(url: string): Promise<SocketConnection> {
    const ws = new WebSocket(`${url.replace("http", "ws")}/socket/websocket?vsn=2.0.0&user_id=u`);
    await once(ws, "open");
    return new SocketConnection(ws);
  }

  join(session: string, payload: object): Promise<void> {
    return this.#push(`session:${session}`, "phx_join", payload);
  }

  append(session: string): Promise<void> {
    return this.#push(`session:${session}`, "send", { content: { content } });
  }

  close(): void {
    this.#ws.close();
  }

  #push(topic: string, event: string, payload: object): Promise<void> {
    const ref = String(++this.#ref);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.set(ref, { resolve, reject });
    // A null join_ref means the channel that is joined; a join names its own.
    this.#ws.send(JSON.stringify([event === "phx_join" ? ref : null, ref, topic, event, payload]));
    return promise;
  }

  #received(frame: string): void {
    const match = REPLY.exec(frame);
    if (!match) return this.onPush(frame);
    const waiter = this.#waiting.get(match[1]!);
    this.#waiting.delete(match[1]!);
    if (match[2] === "ok") waiter?.resolve();
    else waiter?.reject(new Error(frame));
  }
}

/** One connection to each of the nodes; the sessions are joined on one of them each. */
export async function socketClient(urls: readonly string[], sessions: readonly string[]): Promise<Client> {
  const connections = await Promise.all(urls.map((url) => SocketConnection.open(url)));
  const places = sessions.map((session, i) => ({
    session,
    connection: connections[i % connections.length]!,
  }));
  const limit = pLimit(JOINS_AT_A_TIME);
  // As somebody who has everything: what is there already is not sent.
  const last_seq = Number.MAX_SAFE_INTEGER;
  await Promise.all(
    places.map(({ session, connection }) => limit(() => connection.join(session, { last_seq }))),
  );
  let next = 0;
  return {
    send: () => {
      const { connection, session } = places[next++ % places.length]!;
      return connection.append(session);
    },
    close: () => {
      for (const connection of connections) connection.close();
    },
  };
}

/** Keep-alive connections to the nodes; each request goes to the next node. */
export function httpClient(urls: readonly string[], sessions: readonly string[]): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 512 });
  let next = 0;
  return {
    send: () => {
      const session = sessions[next++ % sessions.length]!;
      // By rounds, so that a session is not always asked of the same node.
      const url = urls[(next + Math.floor(next / sessions.length)) % urls.length]!;
      return post(agent, `${url}/api/sessions/${session}/messages`, { user_id: "u", content }, [200]);
    },
    close: () => agent.destroy(),
  };
}

/** Creates the sessions, with `u` as their user, as fast as the nodes take them; asks again where one was too busy. */
export async function createSessions(urls: readonly string[], ids: readonly string[]): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: JOINS_AT_A_TIME });
  const limit = pLimit(JOINS_AT_A_TIME);
  const create = async (id: string, i: number) => {
    const url = `${urls[i % urls.length]}/api/sessions`;
    const isThere = () => post(agent, url, { id, user_id: "u", agent_id: "a" }, [200, 201]).then(() => true);
    await until(`session ${id} is there`, isThere);
  };
  await Promise.all(ids.map((id, i) => limit(() => create(id, i))));
  agent.destroy();
}

/** One session for each group, in the order of the groups. */
export function sessionPerGroup(groups: number): string[] {
  const sessions: string[] = [];
  for (let i = 0, found = 0; found < groups; i++) {
    const group = groupOf(`group-${i}`, groups);
    if (sessions[group] !== undefined) continue;
    sessions[group] = `group-${i}`;
    found += 1;
  }
  return sessions;
}

function post(agent: Agent, url: string, value: object, good: readonly number[]): Promise<void> {
  const body = JSON.stringify(value);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", agent, headers }, (response) => {
      response.resume();
      response.on("end", () =>
        good.includes(response.statusCode ?? 0)
          ? resolve()
          : reject(new Error(`HTTP ${response.statusCode} from ${url}`)),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
