/** @module The fault tests' check of the archive, against rows of a real one. */
import assert from "node:assert/strict";
import { isoMicros } from "../../lib/clock.ts";
import { migrateArchive } from "../../services/conversations/archive/migrate.ts";
import { openArchive } from "../../services/conversations/archive/store.ts";
import type { Message } from "../../services/conversations/contract.ts";
import { conversation } from "../helpers/archive.ts";
import { untilArchived } from "../helpers/archive-check.ts";
import { freshDatabase } from "../helpers/database.ts";
import { execute } from "../helpers/postgres.ts";

const COUNT = 5;
const SHORT_MS = 300;

describe("the check of what is archived", () => {
  let url: string;
  let stored: Map<string, Message[]>;

  before(async () => {
    url = await freshDatabase();
    await migrateArchive({ url });
    const archive = openArchive({ url, poolSize: 1 });
    try {
      const batch = conversation("s", COUNT);
      await archive.writeBatch(batch);
      const messages = batch.messages.map(
        ({ session, sender, insertedAt, id, seq, kind, content, metadata }) => ({
          ...{ id, seq, kind, content, metadata },
          session_id: session,
          sender_id: sender,
          inserted_at: isoMicros(insertedAt),
        }),
      );
      stored = new Map([["s", messages]]);
    } finally {
      await archive.close();
    }
  });

  it("accepts what the archive wrote", () => untilArchived(url, stored, SHORT_MS));

  it("sees a row that is missing, wrong, or of no message", async () => {
    const spoil = async (statement: string, undo: string, sentence: RegExp) => {
      await execute(url, statement);
      await assert.rejects(untilArchived(url, stored, SHORT_MS), sentence);
      await execute(url, undo);
      await untilArchived(url, stored, SHORT_MS);
    };
    await spoil(
      "update messages set session_id = 'gone' where seq = 3",
      "update messages set session_id = 's' where seq = 3",
      /s 3 is missing \(4 rows\)/,
    );
    await spoil(
      "update messages set id = 'other' where seq = 2",
      "update messages set id = 's-2' where seq = 2",
      /s 2 is .*"other"/,
    );
    await spoil(
      "update messages set inserted_at = inserted_at + interval '1 microsecond' where seq = 5",
      "update messages set inserted_at = inserted_at - interval '1 microsecond' where seq = 5",
      /s 5 is /,
    );
    await spoil(
      "insert into messages (id, session_id, sender_id, recipient_id, seq, kind) values ('ghost', 's', 'u', 'a', 6, 'text')",
      "delete from messages where id = 'ghost'",
      /6 rows are there for 5 messages/,
    );
    // Should the schema ever lose its unique index, a doubled row must show.
    await spoil(
      `drop index messages_session_id_seq_index;
       insert into messages select 'again', session_id, sender_id, recipient_id, seq, kind, content from messages where seq = 4`,
      `delete from messages where id = 'again'`,
      /s 4 is there twice/,
    );
  });
});
