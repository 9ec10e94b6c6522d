/** @module A line of the agent's log: its level, and what it says without the time that stands beside it already. */

export interface LogLine {
  readonly level: "error" | "warn" | "info" | null;
  readonly text: string;
}

/** `2026-01-02T03:04:05.678Z  WARN gossip: …`: how Corrosion and the development agent begin their lines. */
const HEAD = /^\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d{2}:\d{2})\s+(?=(TRACE|DEBUG|INFO|WARN|ERROR)\b)/;
const LEVELS = { TRACE: null, DEBUG: null, INFO: "info", WARN: "warn", ERROR: "error" } as const;

/** Lines that begin otherwise are left as they are. */
export function readLogLine(line: string): LogLine {
  const head = HEAD.exec(line);
  if (head === null) return { level: null, text: line };
  return { level: LEVELS[head[1] as keyof typeof LEVELS], text: line.slice(head[0].length) };
}
