/** @module What agents are writing at this moment, put together from its chunks (contract fleet, sections 6 and 7). Pure. */
import type { Dispatch } from "../../../services/conversations/contract.ts";

/** A `stream_chunk` of the channel. */
export interface StreamChunk {
  readonly agent_id: string;
  readonly dispatch_id: string;
  readonly attempt: number;
  /** From 0, within the attempt. */
  readonly index: number;
  readonly chunk: { readonly type: string; readonly delta?: unknown };
}

/** A `dispatch_failed` of the channel. */
export interface DispatchFailed {
  readonly agent_id: string;
  readonly dispatch_id: string;
  readonly attempts: number;
  readonly reason: string;
}

export interface Draft {
  readonly dispatchId: string;
  readonly agentId: string;
  readonly attempt: number;
  readonly nextIndex: number;
  /** Null: its beginning was not heard, and chunks are never sent again. */
  readonly text: string | null;
}

/** Of a longer one only the end is kept: the whole comes as a message. */
const LONGEST = 100_000;
/** There is one at a time; some more are kept of dispatches that follow each other. */
const MOST = 4;

/** Another attempt voids what an earlier one wrote; what is late of an earlier one is nothing. */
export function draftsAfter(drafts: readonly Draft[], event: StreamChunk): readonly Draft[] {
  const { agent_id: agentId, attempt, chunk, dispatch_id: dispatchId, index } = event;
  const before = drafts.find((draft) => draft.dispatchId === dispatchId);
  if (before !== undefined && before.attempt > attempt) return drafts;
  const draft: Draft =
    before?.attempt === attempt ? before : { dispatchId, agentId, attempt, nextIndex: 0, text: "" };
  const heard = draft.text !== null && index === draft.nextIndex;
  const delta = chunk.type === "text-delta" && typeof chunk.delta === "string" ? chunk.delta : "";
  const text = heard ? `${draft.text}${delta}`.slice(-LONGEST) : null;
  const others = drafts.filter((one) => one.dispatchId !== dispatchId);
  return [...others, { ...draft, nextIndex: index + 1, text }].slice(-MOST);
}

/** What an agent wrote is a message now; what more comes of the same dispatch is another one. */
export function draftsWritten(drafts: readonly Draft[], senderIds: ReadonlySet<string>): readonly Draft[] {
  if (!drafts.some(({ agentId, text }) => senderIds.has(agentId) && text !== "")) return drafts;
  return drafts.map((draft) => (senderIds.has(draft.agentId) ? { ...draft, text: "" } : draft));
}

/** Those of which there is something to show. */
export function shownDrafts(drafts: readonly Draft[]): readonly Draft[] {
  return drafts.filter(({ text }) => text !== "");
}

export function draftsWithout(drafts: readonly Draft[], dispatchId: string): readonly Draft[] {
  return drafts.filter((draft) => draft.dispatchId !== dispatchId);
}

/**
 * Those that may still become messages, as the session's dispatch tells: once it is idle again nothing more comes of its
 * epoch, and of earlier ones. A dispatch's id is `<session id>.<epoch>`.
 */
export function draftsUntil(drafts: readonly Draft[], { epoch, state }: Dispatch): readonly Draft[] {
  if (state !== "idle") return drafts;
  const open = drafts.filter(({ dispatchId }) => Number(dispatchId.split(".").at(-1)) > epoch);
  return open.length === drafts.length ? drafts : open;
}
