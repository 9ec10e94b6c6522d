/** @module A steady load of appends, and the check that nothing acknowledged was lost, doubled or reordered. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Message } from "../../services/conversations/contract.ts";
import { type Answer, request } from "./http.ts";

interface Sent {
  readonly session: string;
  /** Unique in the content, so that a doubled message shows. */
  readonly nonce: string;
  readonly key: string | null;
  /** The acknowledged message; null when the outcome stayed unknown or was a refusal. */
  message: Message | null;
  /** Whether it may be in the log without an acknowledgement. */
  maybe: boolean;
  /** What came of each try. */
  readonly tries: string[];
}

export interface LoadOptions {
  /** Pause of each writer between two appends, in milliseconds; default 2. */
  readonly pauseMs?: number;
  /** After so long a writer gives up on an answer and asks another node; default: never. */
  readonly patienceMs?: number;
}

const PAUSE_MS = 2;
const RETRY_MS = 20;
const STOP_LIMIT_MS = 60_000;

/** Keyed and keyless writers on every session, each over every URL in turn, until `stop`. */
export class Load {
  readonly sent: Sent[] = [];
  /** Answers that refused an append for now (429, 503). */
  refusals = 0;
  readonly #sessions: readonly string[];
  readonly #urls: () => readonly string[];
  readonly #pauseMs: number;
  readonly #patienceMs: number | null;
  #running = true;
  #giveUpAt = Number.POSITIVE_INFINITY;
  readonly #writers: Promise<void>[];

  constructor(
    sessions: readonly string[],
    urls: () => readonly string[],
    { pauseMs, patienceMs }: LoadOptions = {},
  ) {
    this.#sessions = sessions;
    this.#urls = urls;
    this.#pauseMs = pauseMs ?? PAUSE_MS;
    this.#patienceMs = patienceMs ?? null;
    this.#writers = sessions.flatMap((session, i) => [
      this.#write(session, i, true),
      this.#write(session, i + 1, false),
    ]);
  }

  /** Acknowledged appends so far. */
  get acknowledged(): number {
    return this.sent.filter(({ message }) => message !== null).length;
  }

  /** Acknowledged appends so far, by session. */
  get acknowledgedBySession(): Map<string, number> {
    const counts = new Map(this.#sessions.map((session) => [session, 0]));
    for (const { session, message } of this.sent) {
      if (message) counts.set(session, counts.get(session)! + 1);
    }
    return counts;
  }

  /** What made appends uncertain, one entry an append. */
  get doubts(): string[] {
    return this.sent.filter(({ maybe }) => maybe).map(({ tries }) => tries.join(", "));
  }

  /** Ends the load. Throws when the outcome of a keyed append is not known after `limitMs`. */
  async stop(limitMs = STOP_LIMIT_MS): Promise<void> {
    this.#running = false;
    this.#giveUpAt = performance.now() + limitMs;
    await Promise.all(this.#writers);
  }

  /**
   * Reads every session back from `url` and checks it against what was acknowledged: seqs 1..n without a hole, every
   * acknowledged message at its seq, no nonce twice, nothing there that was refused. Returns what is stored, by session.
   */
  async verify(url: string): Promise<Map<string, readonly Message[]>> {
    const found = new Map<string, readonly Message[]>();
    for (const session of this.#sessions) {
      const stored = await readAll(url, session);
      found.set(session, stored);
      assert.deepEqual(
        stored.map(({ seq }) => seq),
        stored.map((_, i) => i + 1),
        `seqs of ${session} have no hole`,
      );
      const times = stored.map(({ inserted_at }) => inserted_at);
      assert.deepEqual(times, [...times].sort(), `times of ${session} never decrease`);
      const nonces = stored.map(({ content }) => String(content.nonce));
      const known = new Map(this.sent.filter((sent) => sent.session === session).map((s) => [s.nonce, s]));
      const doubled = stored.filter(({ content }, i) => nonces.indexOf(String(content.nonce)) !== i);
      assert.deepEqual(
        doubled.map((message) => ({ ...message, sent: known.get(String(message.content.nonce)) })),
        [],
        `no message of ${session} is there twice`,
      );
      for (const { nonce, message } of known.values()) {
        if (message)
          assert.deepEqual(stored[message.seq - 1], message, `acknowledged ${nonce} is where it was`);
      }
      for (const nonce of nonces) {
        const sent = known.get(nonce);
        assert.ok(sent?.message || sent?.maybe, `${nonce} in ${session} was never refused for certain`);
      }
    }
    return found;
  }

  async #write(session: string, offset: number, keyed: boolean): Promise<void> {
    for (let n = offset; this.#running; n++) {
      const nonce = randomUUID();
      const sent: Sent = {
        session,
        nonce,
        key: keyed ? nonce : null,
        message: null,
        maybe: false,
        tries: [],
      };
      this.sent.push(sent);
      await this.#attempt(sent, n);
      await setTimeout(this.#pauseMs);
    }
  }

  #post(url: string, sent: Sent): Promise<Answer> {
    const body = {
      user_id: "u",
      content: { nonce: sent.nonce },
      ...(sent.key !== null && { idempotency_key: sent.key }),
    };
    const signal = this.#patienceMs === null ? null : AbortSignal.timeout(this.#patienceMs);
    return request(url, "POST", `/api/sessions/${sent.session}/messages`, body, {}, signal);
  }

  /** A connection that broke, or an answer that did not come, says nothing about the outcome; no connection does. */
  #judge(error: unknown, sent: Sent, url: string): void {
    const timedOut = error instanceof DOMException && error.name === "TimeoutError";
    if (!timedOut && !(error instanceof TypeError)) throw error;
    const { code } = (error.cause ?? {}) as { code?: unknown };
    sent.tries.push(`${timedOut ? "no answer" : String(error.cause)} from ${url}`);
    if (code !== "ECONNREFUSED") sent.maybe = true;
  }

  /** A keyed append is retried until its outcome is known; a keyless one only while it was certainly not written. */
  async #attempt(sent: Sent, n: number): Promise<void> {
    for (let attempt = n; this.#running || sent.maybe; attempt++) {
      const urls = this.#urls();
      const url = urls[attempt % urls.length];
      if (url === undefined) {
        // Nobody is there to ask, and after the end nobody will be: the outcome stays unknown.
        if (!this.#running) return;
        await setTimeout(RETRY_MS);
        continue;
      }
      try {
        const { status, body } = await this.#post(url, sent);
        sent.tries.push(`${status} from ${url}`);
        if (status === 200) {
          sent.message = body.message;
          return;
        }
        if (status === 504) sent.maybe = true;
        else if (status === 503 || status === 429) this.refusals += 1;
        else throw new Error(`unexpected ${status} ${JSON.stringify(body)}`);
      } catch (error) {
        this.#judge(error, sent, url);
      }
      if (sent.maybe && sent.key === null) return;
      if (performance.now() > this.#giveUpAt) {
        throw new Error(
          `the outcome of ${sent.nonce} in ${sent.session} stays unknown: ${sent.tries.join(", ")}`,
        );
      }
      await setTimeout(RETRY_MS);
    }
  }
}

/** All messages of a session, page by page. */
export async function readAll(url: string, session: string, limit = 1000): Promise<Message[]> {
  const messages: Message[] = [];
  for (;;) {
    const after = messages.at(-1)?.seq ?? 0;
    const { status, body } = await request(
      url,
      "GET",
      `/api/sessions/${session}/messages?after_seq=${after}&limit=${limit}`,
    );
    assert.equal(status, 200, JSON.stringify(body));
    messages.push(...body.messages);
    if (!body.has_more) return messages;
  }
}

/** Creates sessions with the ids given, whichever of them are there already. */
export async function createSessions(url: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const { status, body } = await request(url, "POST", "/api/sessions", { id, user_id: "u", agent_id: "a" });
    assert.ok(status === 201 || status === 200, JSON.stringify(body));
  }
}
