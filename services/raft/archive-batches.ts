/** @module What of a group's state is not archived yet, as batches that each end with a whole log entry. */
import { type GroupState, indexOfLocation, type SessionState } from "../../lib/conversation/state.ts";
import type { ArchiveBatch, CursorRow, MessageRow, SessionRow } from "../conversations/contract.ts";
import type { Located } from "./history.ts";
import type { HotMessage } from "./hot-messages.ts";

/** Everything that changed up to `target`; the bodies of the messages are still where they are. */
export interface Unarchived {
  readonly group: number;
  /** Log index that the headers are of. */
  readonly target: number;
  readonly sessions: readonly SessionRow[];
  readonly cursors: readonly CursorRow[];
  /** In the order of the log. */
  readonly messages: readonly Located[];
}

/** Bytes of bodies in one batch, about; one message alone may be more. */
const BATCH_BYTES = 16 * 1024 * 1024;

/** Copies at once what is to be written, so that it is all of one moment. */
export function collect(state: GroupState): Unarchived {
  const sessions: SessionRow[] = [];
  const cursors: CursorRow[] = [];
  const messages: Located[] = [];
  for (const session of state.unarchived) {
    sessions.push(sessionRow(session));
    if (session.cursor > 0) cursors.push(cursorRow(session));
    const first = session.lastSeq - session.locations.length + 1;
    session.locations.forEach((location, i) => {
      messages.push({ session, seq: first + i, location });
    });
  }
  messages.sort((a, b) => a.location - b.location);
  return { group: state.group, target: state.applied, sessions, cursors, messages };
}

/**
 * The batches, in order. Headers and cursors go with the first one: should the rest never be written, they are newer
 * than the watermark says and are written again. `bodies` fetches messages that lie in the log.
 */
export async function* batches(
  { group, target, sessions, cursors, messages }: Unarchived,
  maxMessages: number,
  bodies: (messages: readonly Located[]) => Promise<readonly HotMessage[]>,
): AsyncGenerator<ArchiveBatch, void, void> {
  let headers: Pick<ArchiveBatch, "sessions" | "cursors"> = { sessions, cursors };
  for (let from = 0; from < messages.length || headers.sessions.length > 0; ) {
    const rows: MessageRow[] = [];
    let bytes = 0;
    while (from < messages.length && rows.length < maxMessages && bytes < BATCH_BYTES) {
      const entries = wholeEntries(messages, from, maxMessages - rows.length);
      for (const [i, hot] of (await bodies(entries)).entries()) {
        rows.push(messageRow(entries[i]!.session, hot));
        bytes += hot.bytes;
      }
      from += entries.length;
    }
    const next = messages[from];
    yield {
      group,
      ...headers,
      messages: rows,
      archivedIndex: next ? indexOfLocation(next.location) - 1 : target,
    };
    headers = { sessions: [], cursors: [] };
  }
}

/** Messages fetched at a time. */
const FETCH = 512;

/** The next messages, a whole number of entries, about `FETCH` and not much more than `most`. */
function wholeEntries(messages: readonly Located[], from: number, most: number): readonly Located[] {
  let to = Math.min(messages.length, from + Math.min(FETCH, most));
  const last = indexOfLocation(messages[to - 1]!.location);
  while (to < messages.length && indexOfLocation(messages[to]!.location) === last) to += 1;
  return messages.slice(from, to);
}

function sessionRow(session: SessionState): SessionRow {
  return {
    id: session.id,
    user: session.user,
    agent: session.agent,
    status: session.status,
    metadata: session.metadata,
    insertedAt: session.insertedAt,
    updatedAt: session.updatedAt,
    lastSeq: session.lastSeq,
    dispatch: session.dispatch,
    lastSenderId: session.lastSender,
    lastActivityAt: session.lastActivityAt,
    logIndex: session.logIndex,
  };
}

function cursorRow(session: SessionState): CursorRow {
  return { session: session.id, participant: session.user, lastSeq: session.cursor, at: session.usedAt };
}

function messageRow(session: SessionState, { message, at, key }: HotMessage): MessageRow {
  return {
    id: message.id,
    session: session.id,
    seq: message.seq,
    sender: message.sender_id,
    recipient: message.sender_id === session.user ? session.agent : session.user,
    kind: message.kind,
    content: message.content,
    metadata: message.metadata,
    key,
    insertedAt: at,
  };
}
