/** @module The checks of the fault tests see what they are there to see. */
import assert from "node:assert/strict";
import type { Message } from "../../services/conversations/contract.ts";
import { faultOfArchive } from "../helpers/archive-check.ts";
import { faultOfReader } from "../helpers/socket-readers.ts";
import type { JoinRecord } from "../helpers/sockets.ts";

function message(seq: number, fields: Partial<Message> = {}): Message {
  return {
    id: `id-${seq}`,
    session_id: "s",
    seq,
    sender_id: "u",
    kind: "text",
    content: { nonce: `n-${seq}` },
    metadata: {},
    inserted_at: "2026-01-02T03:04:05.678901Z",
    ...fields,
  };
}

const messages = (...seqs: number[]) => seqs.map((seq) => message(seq));
const record = (after: number, ...seqs: number[]): JoinRecord => ({
  after,
  joined: true,
  messages: messages(...seqs),
  early: 0,
});

describe("the check of a socket reader", () => {
  const stored = messages(1, 2, 3, 4, 5);
  const sees = (records: JoinRecord[], sentence: RegExp | null) => {
    const fault = faultOfReader(records, stored);
    if (sentence === null) assert.equal(fault, null);
    else assert.match(fault ?? "", sentence);
  };

  it("accepts joins that go on where the last one ended, failed joins between them", () => {
    sees([record(0, 1, 2, 3, 4, 5)], null);
    sees([record(0, 1, 2), { ...record(2), joined: false }, record(2), record(2, 3, 4, 5)], null);
  });

  it("sees a message that is missing, doubled, or out of order on one connection", () => {
    sees([record(0, 1, 2, 4, 5)], /seq 4 came where 3 belongs/);
    sees([record(0, 1, 2, 2, 3, 4, 5)], /seq 2 came where 3 belongs/);
    sees([record(0, 1, 3, 2, 4, 5)], /seq 3 came where 2 belongs/);
    sees([record(0, 1, 2, 3, 4, 5, 5)], /seq 5 came where 6 belongs/);
    sees([record(0, 1, 2, 3, 4, 5, 6)], /message 6 differs/);
  });

  it("sees a message that is missing or doubled across connections", () => {
    sees([record(0, 1, 2), record(2, 4, 5)], /seq 4 came where 3 belongs/);
    sees([record(0, 1, 2), record(2, 2, 3, 4, 5)], /seq 2 came where 3 belongs/);
    sees([record(0, 1, 2), record(1, 3, 4, 5)], /ended at 2/);
    sees([record(0, 1, 2), record(2, 3, 4)], /end at 4, stored are 5/);
  });

  it("sees another message than the stored one, and messages before the reply", () => {
    const other = { ...record(0), messages: [message(1), message(2, { id: "ghost" })] };
    sees([other, record(2, 3, 4, 5)], /message 2 differs/);
    sees([{ ...record(0, 1, 2, 3, 4, 5), early: 1 }], /before the reply/);
    sees([{ ...record(0, 1, 2, 3, 4, 5), joined: false }], /without a reply/);
  });
});

describe("the check of the archive", () => {
  const stored = new Map([["s", messages(1, 2, 3)]]);
  const sees = (rows: Message[], sentence: RegExp | null) => {
    const fault = faultOfArchive(rows, stored);
    if (sentence === null) assert.equal(fault, null);
    else assert.match(fault ?? "", sentence);
  };

  it("accepts every message once", () => sees(messages(1, 2, 3), null));

  it("sees a message that is missing, doubled, changed, or never was", () => {
    sees(messages(1, 3), /s 2 is missing/);
    sees([], /s 1 is missing/);
    sees(messages(1, 2, 2, 3), /s 2 is there twice/);
    sees([...messages(1, 2), message(3, { id: "other" })], /s 3 is .*other/);
    sees([...messages(1, 2), message(3, { content: {} })], /s 3 is /);
    sees(messages(1, 2, 3, 4), /4 rows are there for 3/);
  });
});
