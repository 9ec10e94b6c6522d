/** @module The engine's connection to NATS: it reconnects for ever, and says at once when an answer can no longer come. */
import { setTimeout as delay } from "node:timers/promises";
import {
  connect,
  type JetStreamManager,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type RequestOptions,
} from "nats";
import { connectProblem, isRefusal, readNatsUrl } from "../../../lib/nats-access.ts";
import { MAX_ENTRY_BYTES } from "./engine.ts";
import { Unavailable } from "./errors.ts";
import type { EngineLogger } from "./logger.ts";
import { apiCode, isNoResponders, JS, reasonOf } from "./nats-errors.ts";
import { isOlder, OLDEST_SERVER } from "./nats-version.ts";

const CONNECT_MS = 2000;
const RECONNECT_MS = 250;
/** A server that hangs is left after this times `PINGS_LOST`. */
const PING_MS = 2000;
const PINGS_LOST = 2;
/** How long an API request may take; a meta leader election is shorter. */
const API_MS = 5000;
/** How long making or changing a stream may take: two lost elections. */
const SLOW_API_MS = 20_000;
/** What headers and subject add to an entry on the wire, at most. */
export const HEADER_BYTES = 8 * 1024;
const JETSTREAM_TRIES = 5;
const JETSTREAM_RETRY_MS = 300;

/** The connection went while an answer was awaited. */
export class ConnectionLost extends Error {}

/** A damaged copy is told of this often at most. */
const TELL_EVERY_MS = 60_000;

export class NatsLink {
  readonly connection: NatsConnection;
  readonly jsm: JetStreamManager;
  /** The same for requests that wait for an election. */
  readonly slowJsm: JetStreamManager;
  readonly #logger: EngineLogger | undefined;
  /** When a stream's damage was last told of, on the monotonic clock in ms. */
  readonly #toldOf = new Map<string, number>();
  readonly #servers: string;
  /** Names and versions of the servers that this client has been connected to. */
  readonly #seen = new Map<string, string>();
  readonly #lost = new Set<() => void>();
  #connected = true;

  /** Throws `Unavailable` when no server answers, or when there is no JetStream. */
  static async open(
    servers: string | readonly string[],
    name: string,
    logger?: EngineLogger,
  ): Promise<NatsLink> {
    const access = readNatsUrl(typeof servers === "string" ? servers : servers.join(","));
    const shown = access.servers.join(", ");
    let connection: NatsConnection;
    try {
      connection = await connect({
        ...access,
        name,
        timeout: CONNECT_MS,
        reconnect: true,
        maxReconnectAttempts: -1,
        reconnectTimeWait: RECONNECT_MS,
        reconnectJitter: RECONNECT_MS,
        ignoreAuthErrorAbort: true,
        pingInterval: PING_MS,
        maxPingOut: PINGS_LOST,
        // A stack trace per request would cost more than the request.
        noAsyncTraces: true,
      });
    } catch (error) {
      const problem = isRefusal(error)
        ? connectProblem(access, error as Error)
        : `no NATS server answers at ${shown}: ${reasonOf(error)}`;
      throw new Unavailable(problem, { cause: error });
    }
    try {
      const jsm = await connection.jetstreamManager({ timeout: API_MS, checkAPI: false });
      await checkJetStream(jsm, shown, logger);
      const slowJsm = await connection.jetstreamManager({ timeout: SLOW_API_MS, checkAPI: false });
      return new NatsLink(connection, jsm, slowJsm, shown, logger);
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  private constructor(
    connection: NatsConnection,
    jsm: JetStreamManager,
    slowJsm: JetStreamManager,
    servers: string,
    logger: EngineLogger | undefined,
  ) {
    this.connection = connection;
    this.jsm = jsm;
    this.slowJsm = slowJsm;
    this.#servers = servers;
    this.#logger = logger;
    this.#note();
    void this.#watch();
  }

  get connected(): boolean {
    return this.#connected;
  }

  get detail(): string {
    const seen = [...this.#seen].map(([name, version]) => `${name} ${version}`).join(", ");
    return `${this.#servers} (${this.#connected ? "connected" : "not connected"}; ${seen})`;
  }

  get warnings(): string[] {
    const warnings: string[] = [];
    for (const [name, version] of this.#seen) {
      if (isOlder(version, OLDEST_SERVER))
        warnings.push(
          `NATS server ${name} has version ${version}: before ${OLDEST_SERVER} acknowledged entries can be lost when a server restarts; upgrade it`,
        );
    }
    const limit = this.connection.info?.max_payload;
    if (limit !== undefined && limit < MAX_ENTRY_BYTES + HEADER_BYTES)
      warnings.push(
        `the NATS servers take messages of ${limit} bytes at most, entries have up to ${MAX_ENTRY_BYTES}: raise max_payload to 1MB`,
      );
    return warnings;
  }

  /** A copy of a stream holds an entry in another place than it was written for: tells of it, now and then. */
  misplaced(stream: string, index: number): void {
    const now = performance.now();
    if (now - (this.#toldOf.get(stream) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return;
    this.#toldOf.set(stream, now);
    this.#logger?.warn(
      "a copy of a stream is damaged: it holds an entry where it was not written, and is not read; compare the servers' copies, and remove the one that differs",
      { stream, index },
    );
  }

  /** Name of the server that the client is connected to. */
  get serverName(): string {
    return this.connection.info?.server_name ?? "";
  }

  /** Whether that server says it is part of a cluster. */
  get clustered(): boolean {
    return this.connection.info?.cluster !== undefined;
  }

  /**
   * Sends and waits for one answer. Throws nats.js's errors, or `ConnectionLost` as soon as the connection
   * on which the answer would have come is gone.
   */
  async request(subject: string, data: Uint8Array, timeoutMs: number, headers?: MsgHdrs): Promise<Msg> {
    const options: RequestOptions = headers ? { timeout: timeoutMs, headers } : { timeout: timeoutMs };
    const answer = this.connection.request(subject, data, options);
    const lost = Promise.withResolvers<never>();
    const onLost = (): void => lost.reject(new ConnectionLost("the connection to NATS was lost"));
    this.#lost.add(onLost);
    // Whichever comes second must not turn up as an unhandled rejection.
    answer.catch(() => {});
    try {
      return await Promise.race([answer, lost.promise]);
    } finally {
      this.#lost.delete(onLost);
    }
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  /** Follows the connection's state until it is closed. */
  async #watch(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === "disconnect") {
        // nats.js says so again of every attempt that ends halfway.
        if (this.#connected) this.#logger?.warn("NATS connection lost", { server: status.data });
        this.#connected = false;
        for (const tell of this.#lost) tell();
      } else if (status.type === "reconnect") {
        if (!this.#connected) this.#logger?.info("NATS connection restored", { server: status.data });
        this.#connected = true;
        this.#note();
      } else if (status.type === "error") {
        this.#logger?.warn("NATS server reports an error", { error: status.data });
      }
    }
    this.#connected = false;
    for (const tell of this.#lost) tell();
  }

  #note(): void {
    const info = this.connection.info;
    if (info) this.#seen.set(info.server_name, info.version);
  }
}

/** Throws `Unavailable` when the servers run without JetStream; a cluster that elects its leader is only logged. */
async function checkJetStream(jsm: JetStreamManager, servers: string, logger?: EngineLogger): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await jsm.getAccountInfo();
      return;
    } catch (error) {
      const code = apiCode(error);
      if (code === JS.notEnabled || code === JS.notEnabledForAccount)
        throw new Unavailable(
          `JetStream is not enabled for this account on the NATS server at ${servers}: start it with -js, and enable JetStream for the account`,
          { cause: error },
        );
      if (!isNoResponders(error)) {
        logger?.warn("JetStream does not answer yet", { servers, reason: reasonOf(error) });
        return;
      }
      if (tries === JETSTREAM_TRIES)
        throw new Unavailable(`the NATS server at ${servers} runs without JetStream: start it with -js`, {
          cause: error,
        });
    }
    await delay(JETSTREAM_RETRY_MS);
  }
}
