/** @module Part `archive`: rows a second that the archive's statements store, and that a whole fleet drains to Postgres. */
import { setTimeout } from "node:timers/promises";
import { uuidv7 } from "../../lib/ids.ts";
import { migrateArchive } from "../../services/conversations/archive/migrate.ts";
import {
  type ArchiveBatch,
  type ArchiveStore,
  openArchive,
} from "../../services/conversations/archive/store.ts";
import { execute, startPostgres, type TestPostgres } from "../../test/helpers/postgres.ts";
import { createSessions, MESSAGE_BYTES, socketClient } from "../clients.ts";
import { startEmbedded } from "../fleet.ts";
import { sendAll } from "../measure.ts";
import { type Report, rate } from "../report.ts";

const WANTED = 20_000;
const BATCH = 5000;
const SESSIONS = 1000;
/** Groups that flush side by side. */
const WRITERS = 4;
const POLL_MS = 50;
/** Nothing arrived for so long: nobody archives. */
const STALLED_MS = 60_000;
/** 2026-01-01, in microseconds. */
const T0 = 1_767_225_600_000_000;

export async function archive(report: Report): Promise<void> {
  const messages = report.quick ? 20_000 : 200_000;
  const postgres = await startPostgres();
  try {
    const rows = [
      ["the store alone, one writer", rate(await storeRate(await postgres.database(), messages, 1))],
      [
        `the store alone, ${WRITERS} writers`,
        rate(await storeRate(await postgres.database(), messages, WRITERS)),
      ],
    ];
    report.progress(rows.map((row) => row.join(": ")).join("; "));
    const drained = await drainRate(report, postgres, messages);
    if (drained === null) {
      report.note("archive: no message arrived in Postgres, so the fleet's own rate is not known");
    } else {
      rows.push(["the whole fleet, embedded", rate(drained)]);
      report.atLeast("embedded: messages archived a second", drained, WANTED, "/s");
    }
    report.table(`Archive: ${messages} messages into Postgres`, ["", "messages"], rows);
  } finally {
    await postgres.stop();
  }
}

/** Messages a second through the archive's own statements. */
async function storeRate(url: string, messages: number, writers: number): Promise<number> {
  await migrateArchive({ url });
  const store = openArchive({ url, poolSize: writers, flushBatch: BATCH });
  try {
    const began = performance.now();
    const share = messages / writers;
    await Promise.all(Array.from({ length: writers }, (_, group) => writeShare(store, group, share)));
    return messages / ((performance.now() - began) / 1000);
  } finally {
    await store.close();
  }
}

async function writeShare(store: ArchiveStore, group: number, messages: number): Promise<void> {
  for (let from = 0; from < messages; from += BATCH) {
    await store.writeBatch(batchOf(group, from, Math.min(BATCH, messages - from)));
  }
}

/** `count` messages of one long session after the first `from`. */
function batchOf(group: number, from: number, count: number): ArchiveBatch {
  const session = `bench-${group}`;
  const at = T0 + from;
  return {
    group,
    sessions: [
      {
        id: session,
        user: "u",
        agent: "a",
        status: "active",
        metadata: {},
        insertedAt: T0,
        updatedAt: at,
        lastSeq: from + count,
        dispatch: { state: "idle", epoch: 0, lastSentSeq: 0, lastFailure: null },
        lastSenderId: "u",
        lastActivityAt: at,
        logIndex: from + count,
      },
    ],
    messages: Array.from({ length: count }, (_, i) => ({
      id: uuidv7(at + i),
      session,
      seq: from + i + 1,
      sender: "u",
      recipient: "a",
      kind: "text",
      content: { text: "x".repeat(MESSAGE_BYTES) },
      metadata: {},
      key: null,
      insertedAt: at + i,
    })),
    cursors: [],
    archivedIndex: from + count,
  };
}

/**
 * Messages a second of a fleet that catches up: Postgres stands still while the messages are appended, so that the
 * drain alone is measured, from the first row to the last. Null when none arrives.
 */
async function drainRate(report: Report, postgres: TestPostgres, messages: number): Promise<number | null> {
  const url = await postgres.database();
  const fleet = await startEmbedded({ DATABASE_URL: url });
  try {
    const ids = Array.from({ length: SESSIONS }, (_, i) => `bench-${i}`);
    await createSessions(fleet.urls, ids);
    await postgres.pause();
    const client = await socketClient(fleet.urls, ids);
    report.progress(`appending ${messages} messages`);
    const appended = await sendAll(client.send, 512, messages);
    client.close();
    report.progress(`appended at ${rate(appended)}, waiting for the archive`);
    postgres.resume();
    return await watchRows(url, messages);
  } finally {
    postgres.resume();
    await fleet.stop();
  }
}

async function watchRows(url: string, messages: number): Promise<number | null> {
  let first: { readonly at: number; readonly rows: number } | null = null;
  const began = performance.now();
  for (;;) {
    const rows = await countMessages(url);
    const at = performance.now();
    if (rows > 0) first ??= { at, rows };
    if (rows >= messages)
      return first && rows > first.rows ? (rows - first.rows) / ((at - first.at) / 1000) : null;
    if (first === null && at - began > STALLED_MS) return null;
    await setTimeout(POLL_MS);
  }
}

/** Zero while the tables are not there: nothing is archived then. */
async function countMessages(url: string): Promise<number> {
  const [there] = await execute<{ there: string | null }>(url, "select to_regclass('messages') as there");
  if (there?.there === null) return 0;
  const [count] = await execute<{ count: string }>(url, "select count(*) as count from messages");
  return Number(count!.count);
}
