/** @module Readers on sockets while nodes come and go, and the check that each join saw every message once and in order. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Message } from "../../services/conversations/contract.ts";
import { type JoinRecord, OfficialClient } from "./sockets.ts";
import { until } from "./until.ts";

interface Reader {
  readonly session: string;
  readonly client: OfficialClient;
}

/** Official clients, several on every session, each joined over the URLs in turn until `stop`. */
export class SocketReaders {
  readonly #readers: readonly Reader[];

  private constructor(readers: readonly Reader[]) {
    this.#readers = readers;
  }

  /** Joins every session `each` times as `user_id` "u"; the sessions must be there. */
  static async join(
    sessions: readonly string[],
    urls: () => readonly string[],
    each: number,
  ): Promise<SocketReaders> {
    const readers = sessions.flatMap((session, s) =>
      Array.from({ length: each }, async (_, i) => {
        let turn = s + i;
        const urlOf = () => {
          const now = urls();
          return now[turn++ % now.length] ?? "http://127.0.0.1:9"; // nobody is there: nobody answers at this one either
        };
        return { session, client: await OfficialClient.join(urlOf, `session:${session}`, { user_id: "u" }) };
      }),
    );
    return new SocketReaders(await Promise.all(readers));
  }

  /** Joins that succeeded, all readers together. */
  get joins(): number {
    return this.#readers.reduce((sum, { client }) => sum + client.joins, 0);
  }

  /** Waits until every reader is at the end of its session, and checks what each of its joins brought. */
  async verify(stored: ReadonlyMap<string, readonly Message[]>, limitMs = 30_000): Promise<void> {
    for (const [i, { session, client }] of this.#readers.entries()) {
      const messages = stored.get(session);
      if (!messages) throw new Error(`nothing is known of session ${session}`);
      const last = messages.length;
      // One that sees a message twice gets there early: what else comes must not be missed.
      await until(`reader ${i} of ${session} sees ${last}`, () => client.seqs.at(-1) === last, limitMs);
      assert.equal(faultOfReader(client.records, messages), null, `reader ${i} of ${session}`);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#readers.map(({ client }) => client.disconnect()));
  }
}

/**
 * What is wrong with what a reader saw, in a sentence; null when each join brought the messages above its `last_seq`
 * one by one, as they are stored, and all joins together every message once.
 */
export function faultOfReader(records: readonly JoinRecord[], stored: readonly Message[]): string | null {
  let expected = 1;
  for (const [i, { after, joined, messages, early }] of records.entries()) {
    const where = `join ${i} (last_seq ${after})`;
    if (early > 0) return `${where}: ${early} messages came before the reply`;
    if (!joined && messages.length > 0) return `${where}: messages came without a reply`;
    if (after !== expected - 1) return `${where}: the joins before ended at ${expected - 1}`;
    for (const message of messages) {
      if (message.seq !== expected) return `${where}: seq ${message.seq} came where ${expected} belongs`;
      if (!isDeepStrictEqual(message, stored[expected - 1])) {
        return `${where}: message ${expected} differs from the stored one`;
      }
      expected += 1;
    }
  }
  return expected === stored.length + 1 ? null : `seqs end at ${expected - 1}, stored are ${stored.length}`;
}
