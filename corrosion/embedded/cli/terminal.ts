/** @module What commands print: results as they are, log lines with their level, both on standard output. */

const LEVELS = ["error", "warn", "info", "debug", "trace"];

export interface Terminal {
  print(line: string): void;
  info(message: string): void;
  log(level: string, message: string): void;
}

/** `filter` is the value of RUST_LOG: one level, or more, of which the first that stands alone counts. */
export function openTerminal(filter: string | undefined, write: (text: string) => void): Terminal {
  const named = (filter ?? "info")
    .toLowerCase()
    .split(",")
    .find((part) => part === "off" || LEVELS.includes(part));
  const most = named === "off" ? -1 : LEVELS.indexOf(named ?? "info");
  const log = (level: string, message: string) => {
    if (LEVELS.indexOf(level) <= most) write(`${level.toUpperCase().padStart(5)} corrosion: ${message}\n`);
  };
  return { print: (line) => write(`${line}\n`), info: (message) => log("info", message), log };
}
