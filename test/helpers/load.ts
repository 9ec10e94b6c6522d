/** @module A steady load of appends, and the check that nothing acknowledged was lost, doubled or reordered. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Message } from "../../services/conversations/contract.ts";
import { request } from "./http.ts";

interface Sent {
  readonly session: string;
  /** Unique in the content, so that a doubled message shows. */
  readonly nonce: string;
  readonly key: string | null;
  /** The acknowledged message; null when the outcome stayed unknown or was a refusal. */
  message: Message | null;
  /** Whether it may be in the log without an acknowledgement. */
  maybe: boolean;
  /** What made it uncertain. */
  doubt: string | null;
}

const PAUSE_MS = 2;

/** Keyed and keyless writers on every session, each over every URL in turn, until `stop`. */
export class Load {
  readonly sent: Sent[] = [];
  /** Answers that refused an append for now (503). */
  refusals = 0;
  readonly #sessions: readonly string[];
  readonly #urls: () => readonly string[];
  #running = true;
  readonly #writers: Promise<void>[];

  constructor(sessions: readonly string[], urls: () => readonly string[]) {
    this.#sessions = sessions;
    this.#urls = urls;
    this.#writers = sessions.flatMap((session, i) => [
      this.#write(session, i, true),
      this.#write(session, i + 1, false),
    ]);
  }

  /** Acknowledged appends so far. */
  get acknowledged(): number {
    return this.sent.filter(({ message }) => message !== null).length;
  }

  /** What made appends uncertain, one entry an append. */
  get doubts(): string[] {
    return this.sent.flatMap(({ doubt }) => doubt ?? []);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#writers);
  }

  /**
   * Reads every session back from `url` and checks it against what was acknowledged: seqs 1..n without a hole, every
   * acknowledged message at its seq, no nonce twice, nothing there that was refused.
   */
  async verify(url: string): Promise<void> {
    for (const session of this.#sessions) {
      const stored = await readAll(url, session);
      assert.deepEqual(
        stored.map(({ seq }) => seq),
        stored.map((_, i) => i + 1),
        `seqs of ${session} have no hole`,
      );
      const times = stored.map(({ inserted_at }) => inserted_at);
      assert.deepEqual(times, [...times].sort(), `times of ${session} never decrease`);
      const nonces = stored.map(({ content }) => String(content.nonce));
      assert.equal(new Set(nonces).size, nonces.length, `no message of ${session} is there twice`);
      const known = new Map(this.sent.filter((sent) => sent.session === session).map((s) => [s.nonce, s]));
      for (const { nonce, message } of known.values()) {
        if (message)
          assert.deepEqual(stored[message.seq - 1], message, `acknowledged ${nonce} is where it was`);
      }
      for (const nonce of nonces) {
        const sent = known.get(nonce);
        assert.ok(sent?.message || sent?.maybe, `${nonce} in ${session} was never refused for certain`);
      }
    }
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
        doubt: null,
      };
      this.sent.push(sent);
      await this.#attempt(sent, n);
      await setTimeout(PAUSE_MS);
    }
  }

  #doubt(sent: Sent, why: string): void {
    sent.maybe = true;
    sent.doubt = why;
  }

  /** A keyed append is retried until its outcome is known; a keyless one only while it was certainly not written. */
  async #attempt(sent: Sent, n: number): Promise<void> {
    for (let attempt = n; this.#running || sent.maybe; attempt++) {
      const urls = this.#urls();
      const url = urls[attempt % urls.length];
      if (url === undefined) {
        // Nobody is there to ask, and after the end nobody will be: the outcome stays unknown.
        if (!this.#running) return;
        await setTimeout(PAUSE_MS * 10);
        continue;
      }
      try {
        const { status, body } = await request(url, "POST", `/api/sessions/${sent.session}/messages`, {
          user_id: "u",
          content: { nonce: sent.nonce },
          ...(sent.key !== null && { idempotency_key: sent.key }),
        });
        if (status === 200) {
          sent.message = body.message;
          return;
        }
        if (status === 504) this.#doubt(sent, `504 from ${url}`);
        else if (status === 503) this.refusals += 1;
        else throw new Error(`unexpected ${status} ${JSON.stringify(body)}`);
      } catch (error) {
        // A connection that broke says nothing about the outcome; one that was never made does.
        if (!(error instanceof TypeError)) throw error;
        const { code } = (error.cause ?? {}) as { code?: unknown };
        if (code !== "ECONNREFUSED") this.#doubt(sent, `${String(error.cause)} from ${url}`);
      }
      if (sent.maybe && sent.key === null) return;
      await setTimeout(PAUSE_MS * 10);
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
