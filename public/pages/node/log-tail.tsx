/** @module The agent's last lines; they follow as long as the person looks at the end. */
import { useEffect, useRef } from "preact/hooks";
import type { AgentLogs } from "../../../services/corrosion/contract.ts";
import { Button } from "../../components/button.tsx";
import { Skeleton } from "../../components/card.tsx";
import { classes } from "../../components/classes.ts";
import { sentenceOf } from "../../data/api-error.ts";
import { dataOf, errorOf } from "../../data/resource.ts";
import { useResource } from "../../data/use-resource.ts";
import { timeText } from "../../data/wording.ts";
import { readLogLine } from "./log-line.ts";

const POLL_MS = 2000;
const LINES = 200;
/** Pixels from the end that still count as looking at it. */
const NEAR_END = 24;

const LEVEL_LOOKS = { error: "text-bad", warn: "text-warn", info: "" } as const;
const STREAM_LOOKS = { stdout: "text-muted", stderr: "text-warn", agent: "text-accent" } as const;

export function LogTail() {
  const logs = useResource<AgentLogs>(`/api/agent/logs?limit=${LINES}`, {
    topics: ["agent_state"],
    pollMs: POLL_MS,
  });
  const lines = dataOf(logs)?.lines ?? null;
  const problem = errorOf(logs);
  return (
    <div>
      <div class="mb-1 flex min-h-7 items-center gap-2">
        <h3 class="text-xs font-semibold">Log</h3>
        {problem !== null && (
          <>
            <span class="text-xs text-bad">{sentenceOf(problem)}</span>
            <Button size="small" busy={logs.busy} onPress={logs.reload}>
              Retry
            </Button>
          </>
        )}
      </div>
      {lines === null && problem === null ? <Skeleton lines={6} /> : <Lines lines={lines ?? []} />}
    </div>
  );
}

function Lines({ lines }: AgentLogs) {
  const box = useRef<HTMLElement>(null);
  const atEnd = useRef(true);
  // New lines are what moves the end.
  useEffect(() => {
    if (box.current !== null && atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  return (
    <section
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label="Log of the agent"
      class="h-64 overflow-auto rounded-md border border-line bg-canvas p-2 font-mono text-xs leading-5"
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        atEnd.current = scrollHeight - scrollTop - clientHeight <= NEAR_END;
      }}
    >
      {lines.length === 0 && <p class="text-muted">The agent has said nothing yet.</p>}
      {lines.map((line, i) => (
        // Lines have no id, and two may be alike.
        <Line key={`${line.at} ${i}`} {...line} />
      ))}
    </section>
  );
}

function Line({ at, line, stream }: AgentLogs["lines"][number]) {
  const { level, text } = readLogLine(line);
  return (
    <p class="whitespace-pre-wrap break-words">
      <span class="text-muted tabular-nums">{timeText(at)}</span>{" "}
      <span class={classes("inline-block w-12", STREAM_LOOKS[stream])}>{stream}</span>{" "}
      <span class={level === null ? "" : LEVEL_LOOKS[level]}>{text}</span>
    </p>
  );
}
