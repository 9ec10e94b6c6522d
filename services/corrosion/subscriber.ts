/** @module Keeps one subscription to `node_messages` open: connects, listens, tries again, pauses. */
import type { ServiceBroker } from "moleculer";
import { isoMicros, systemClock } from "../../lib/clock.ts";
import { AgentError } from "../../lib/corrosion/client/errors.ts";
import type { SubscriptionEvent } from "../../lib/corrosion/client/events.ts";
import type { AgentStream, CorrosionClient } from "../../lib/corrosion/client/http.ts";
import type { Timers } from "../../lib/timers.ts";
import type { SubscriberState, SubscriberStatus } from "./contract.ts";
import { backoff, type SubscriberTimes } from "./subscriber-timing.ts";
import { MESSAGES_SQL, Subscription, type Update } from "./subscription.ts";

export interface SubscriberEnvironment {
  /** The client of the node's agent as it is now. Throws when nobody knows where the agent is. */
  readonly connect: () => Promise<CorrosionClient>;
  readonly emit: (update: Update) => void;
  readonly logger: ServiceBroker["logger"];
  readonly times: SubscriberTimes;
  readonly timers: Timers;
  /** In [0, 1). */
  readonly random: () => number;
}

/** How a connection ended. */
interface Ending {
  readonly state: "error" | "disconnected";
  readonly reason: string;
}

/** Failed attempts to go on with a subscription after which a new one is made. */
const MAX_RESUMES = 10;

/** An agent that starts with its node refuses the first attempts, and that is no trouble. */
const SILENT_FAILURES = 3;

/** At any time it has at most one connection and one timer. */
export class MessageSubscriber {
  readonly #env: SubscriberEnvironment;
  readonly #subscription = new Subscription();
  #state: SubscriberState = "initializing";
  #reason: string | null = null;
  #since = systemClock();
  #reconnects = -1;
  /** Failures since a connection was stable. */
  #failures = 0;
  #everConnected = false;
  /** The trouble that the log has a line for. */
  #logged: string | null = null;
  #connectedAt: number | null = null;
  /** Ends the attempts under way; null while there are none. */
  #stop: AbortController | null = null;
  #ended: Promise<void> = Promise.resolve();
  #callOff: () => void = () => {};

  constructor(env: SubscriberEnvironment) {
    this.#env = env;
  }

  status(): Omit<SubscriberStatus, "node_id"> {
    return {
      state: this.#state,
      query_id: this.#subscription.id,
      change_id: this.#subscription.changeId,
      rows: this.#subscription.size,
      reconnects: Math.max(0, this.#reconnects),
      since: isoMicros(this.#since),
      reason: this.#reason,
    };
  }

  /** Begins to connect; does nothing while it does so already. */
  start(): void {
    if (this.#stop !== null) return;
    const stop = new AbortController();
    this.#stop = stop;
    // Behind what is still ending, so that there never are two connections.
    this.#ended = this.#ended.then(() => this.#run(stop.signal));
  }

  /** Ends the connection at once and stays away from the agent until `start`. */
  pause(reason: string): void {
    this.#abort();
    this.#logged = null;
    this.#set("paused_for_restart", reason);
    this.#env.emit({ type: "subscription_paused_for_restart" });
  }

  /** Connects anew, now, and compares all rows. Does nothing while the agent restarts. */
  restart(): void {
    if (this.#stop === null) return;
    this.#abort();
    this.#failures = 0;
    this.#subscription.forget();
    this.start();
  }

  /** The agent is there now: does not wait until the next attempt is due. Does nothing unless it waits. */
  hasten(): void {
    if (this.#stop === null || (this.#state !== "disconnected" && this.#state !== "error")) return;
    this.#abort();
    this.#failures = 0;
    this.start();
  }

  /** Resolves when nothing is open any more. */
  async stop(): Promise<void> {
    this.#abort();
    await this.#ended;
  }

  #abort(): void {
    this.#stop?.abort(new Error("the subscription was ended here"));
    this.#stop = null;
    this.#callOff();
    this.#connectedAt = null;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#reconnects += 1;
      this.#set("connecting", this.#reason);
      const resuming = this.#resumes();
      const ending = await this.#attempt(signal).catch((error: unknown) => this.#endingOf(error));
      if (signal.aborted) return;
      this.#end(ending);
      // The agent is there, only the way back in was wrong: no reason to wait longer and longer.
      if (resuming && !this.#resumes()) this.#failures = 1;
      const waitMs = backoff(this.#env.times, this.#failures, this.#env.random());
      await this.#wait(waitMs, signal);
    }
  }

  #resumes(): boolean {
    return this.#subscription.plan.kind === "resume";
  }

  async #attempt(signal: AbortSignal): Promise<Ending> {
    const client = await this.#env.connect();
    signal.throwIfAborted();
    const { plan } = this.#subscription;
    const stream =
      plan.kind === "subscribe"
        ? await client.subscribe(MESSAGES_SQL, { signal })
        : await client.resume(plan.id, { from: plan.from, signal });
    try {
      signal.throwIfAborted();
      this.#subscription.opened(stream.id);
      const settledMs = plan.kind === "resume" ? this.#env.times.settledMs : null;
      return await this.#listen(client, stream, settledMs, signal);
    } finally {
      this.#callOff();
      stream.close();
    }
  }

  async #listen(
    client: CorrosionClient,
    stream: AgentStream<SubscriptionEvent>,
    settledMs: number | null,
    signal: AbortSignal,
  ): Promise<Ending> {
    const over = new AbortController();
    const listening = { heard: 0, signal: AbortSignal.any([signal, over.signal]) };
    // A resumed stream has no first line until something changes.
    if (settledMs === null) this.#watchSilence(client, stream, listening);
    else {
      this.#timer(settledMs, () => {
        this.#connected(stream.id);
        this.#watchSilence(client, stream, listening);
      });
    }
    try {
      for await (const event of stream.events) {
        signal.throwIfAborted();
        listening.heard += 1;
        if (event.kind !== "error") this.#connected(stream.id);
        this.#watchSilence(client, stream, listening);
        const step = this.#subscription.take(event);
        for (const update of step.updates) this.#env.emit(update);
        if (step.unreadable !== null) {
          this.#env.logger.warn("a row of node_messages cannot be read and is left out", {
            pk: step.unreadable,
          });
        }
        if (step.broken !== null) return { state: "error", reason: step.broken };
      }
      return { state: "disconnected", reason: `the agent at ${client.agent} ended the subscription` };
    } finally {
      over.abort();
    }
  }

  /** Silence alone is no failure: nobody may be writing. */
  #watchSilence(
    client: CorrosionClient,
    stream: AgentStream<SubscriptionEvent>,
    listening: { readonly heard: number; readonly signal: AbortSignal },
  ): void {
    const { heard } = listening;
    const check = async () => {
      const problem = await illness(client, listening.signal);
      if (listening.signal.aborted || listening.heard !== heard) return;
      if (problem === null) this.#watchSilence(client, stream, listening);
      else
        stream.close(
          new AgentError("unreachable", `nothing came any more, and the agent is not well: ${problem}`),
        );
    };
    this.#timer(this.#env.times.silenceMs, () => void check());
  }

  #connected(id: string): void {
    if (this.#state === "connected") return;
    this.#connectedAt = this.#env.timers.now();
    this.#everConnected = true;
    this.#logged = null;
    this.#env.logger.info("subscribed to node_messages", { query: id, reconnects: this.#reconnects });
    this.#set("connected", null);
    this.#env.emit({ type: "subscription_connected", watch_id: id });
  }

  #endingOf(error: unknown): Ending {
    const reason = error instanceof Error ? error.message : String(error);
    if (!(error instanceof AgentError)) return { state: "disconnected", reason };
    // What the agent keeps, and what it sent, is in doubt: a new snapshot tells.
    if (error.kind === "unknown_subscription" || error.kind === "protocol") this.#subscription.forget();
    const lost = error.kind === "unreachable" || error.kind === "timeout" || error.kind === "incomplete";
    return { state: lost ? "disconnected" : "error", reason };
  }

  #end({ state, reason }: Ending): void {
    const { emit, logger, times, timers } = this.#env;
    const lasted = this.#connectedAt === null ? 0 : timers.now() - this.#connectedAt;
    this.#connectedAt = null;
    this.#failures = lasted >= times.stableMs ? 1 : this.#failures + 1;
    if (this.#failures > MAX_RESUMES) this.#subscription.forget();
    // One line for each new trouble, none for each attempt.
    if (reason !== this.#logged && (this.#everConnected || this.#failures > SILENT_FAILURES)) {
      this.#logged = reason;
      logger.warn("the subscription to node_messages ended", { reason });
    }
    this.#set(state, reason);
    emit({ type: state === "error" ? "subscription_error" : "subscription_closed", reason });
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        resolve();
      };
      signal.addEventListener("abort", done);
      this.#timer(ms, done);
    });
  }

  #timer(ms: number, run: () => void): void {
    this.#callOff();
    this.#callOff = this.#env.timers.after(ms, run);
  }

  #set(state: SubscriberState, reason: string | null): void {
    if (state !== this.#state) this.#since = systemClock();
    this.#state = state;
    this.#reason = reason;
  }
}

/** Why the agent counts as lost; null when it answers, or is merely busy. */
async function illness(client: CorrosionClient, signal: AbortSignal): Promise<string | null> {
  try {
    const health = await client.health({ signal });
    return health.kind === "failing" ? health.reason : null;
  } catch (error) {
    if (signal.aborted) return null;
    const lost = error instanceof AgentError && (error.kind === "unreachable" || error.kind === "timeout");
    return lost ? error.message : null;
  }
}
