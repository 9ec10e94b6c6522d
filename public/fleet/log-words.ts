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

export function wordsOf(state: ResourceState<GroupLog>): Words {
  if (state.kind === "loading") return { tone: "plain", word: "log …", text: "" };
  if (state.kind === "error") return { tone: "warn", word: "log not known", text: state.error.message };
  const { log } = state.data;
  if (log === null)
    return { tone: "bad", word: "log unreachable", text: "no node with a copy reaches it now" };
  const late = log.replicas.filter(({ current }) => !current);
  const missing = log.wanted - log.replicas.length;
  const copies = [
    `${log.replicas.length} of ${countText(log.wanted, "copy", "copies")}`,
    ...(log.leader === null ? [] : [`led by ${log.leader}`]),
    bytesText(log.bytes),
    ...late.map(({ lag, name }) => `${name} is ${countText(lag, "entry", "entries")} behind`),
  ].join(", ");
  const stale = state.kind === "stale";
  if (late.length > 0 || missing > 0)
    return { tone: "warn", word: missing > 0 ? "copies missing" : "copies behind", text: copies };
  return { tone: stale ? "plain" : "good", word: stale ? "log was well" : "log is well", text: copies };
}
