/** @module The state of a group's log in a word, and its copies in a line. */
import type { GroupLog } from "../../services/raft/fleet-status.ts";
import type { Tone } from "../components/tone.ts";
import { bytesText } from "../data/bytes.ts";
import type { ResourceState } from "../data/resource.ts";
import { countText } from "../data/wording.ts";

interface Words {
  readonly tone: Tone;
  readonly word: string;
  readonly text: string;
}

/** `servers`: whether the engine keeps its logs on servers, of which one leads each. */
export function wordsOf(state: ResourceState<GroupLog>, servers: boolean): Words {
  if (state.kind === "loading") return { tone: "plain", word: "log …", text: "" };
  if (state.kind === "error") return { tone: "warn", word: "log not known", text: state.error.message };
  const { log, seen_by } = state.data;
  if (seen_by === null)
    return { tone: "warn", word: "log not known", text: "no node with a copy of the group answers now" };
  if (log === null) return { tone: "bad", word: "log unreachable", text: `${seen_by} does not reach it now` };
  if (servers && log.leader === null)
    return { tone: "bad", word: "log without leader", text: "no server leads it: it takes nothing now" };
  const late = log.replicas.filter(({ current }) => !current);
  const missing = log.wanted - log.replicas.length;
  const copies = [
    `${log.replicas.length} of ${countText(log.wanted, "copy", "copies")}`,
    ...(log.leader === null ? [] : [`led by ${log.leader}`]),
    bytesText(log.bytes),
    ...late.map(({ lag, name }) =>
      lag === 0 ? `${name} is not current` : `${name} is ${countText(lag, "entry", "entries")} behind`,
    ),
  ].join(", ");
  if (!servers && late.length > 0) return { tone: "bad", word: "log failed", text: copies };
  if (late.length > 0 || missing > 0)
    return { tone: "warn", word: missing > 0 ? "copies missing" : "copies behind", text: copies };
  const stale = state.kind === "stale";
  return { tone: stale ? "plain" : "good", word: stale ? "log was well" : "log is well", text: copies };
}
