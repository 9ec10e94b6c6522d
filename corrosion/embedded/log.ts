/** @module The agent's log: one short line an event on standard output. */

export type LogFields = Readonly<Record<string, string | number | bigint | boolean | null>>;

export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const LEVELS: readonly string[] = ["error", "warn", "info"];

/** A log that leaves out what is less important than `level` (`error`, `warn`, `info`; anything else counts as info). */
export function openLog(level: string, write: (line: string) => void): Log {
  const known = LEVELS.indexOf(level.toLowerCase());
  const most = known < 0 ? LEVELS.length - 1 : known;
  const at =
    (rank: number) =>
    (message: string, fields: LogFields = {}) => {
      if (rank > most) return;
      const details = Object.entries(fields).map(([name, value]) => ` ${name}=${quoted(value)}`);
      const label = (LEVELS[rank] ?? "info").toUpperCase().padStart(5);
      write(`${new Date().toISOString()} ${label} ${message}${details.join("")}\n`);
    };
  return { error: at(0), warn: at(1), info: at(2) };
}

function quoted(value: LogFields[string]): string {
  const text = String(value);
  return /[\s"=]/.test(text) || text === "" ? JSON.stringify(text) : text;
}

/** What is said of an error. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
