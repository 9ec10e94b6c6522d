/** @module How the log of the group that is pointed at is: its copies, and which of them are behind. */
import { useEffect, useState } from "preact/hooks";
import type { FleetStatus, GroupLog } from "../../../services/raft/fleet-status.ts";
import { Badge } from "../../components/badge.tsx";
import { useResource } from "../../data/use-resource.ts";
import { wordsOf } from "../../fleet/log-words.ts";

const POLL_MS = 5000;
/** Who walks over the map does not ask for each group on the way. */
const SETTLE_MS = 150;

export interface GroupLogLineProps {
  readonly group: number;
  readonly engine: FleetStatus["engine"]["kind"];
}

export function GroupLogLine({ group, engine }: GroupLogLineProps) {
  const settled = useSettled(group);
  const log = useResource<GroupLog>(settled === null ? null : `/api/fleet/groups/${settled}`, {
    pollMs: POLL_MS,
  });
  const { text, tone, word } = wordsOf(settled === group ? log : { kind: "loading" }, engine === "jetstream");
  return (
    <span class="flex min-w-0 items-center gap-2" data-log={word}>
      <Badge tone={tone}>{word}</Badge>
      <span class="line-clamp-1 min-w-0 break-all">{text}</span>
    </span>
  );
}

/** The value, once it has stayed for a moment; null before. */
function useSettled(value: number): number | null {
  const [settled, setSettled] = useState<number | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
