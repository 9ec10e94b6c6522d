/** @module Reads typed values from the environment and gathers one sentence for each that cannot be used. */

export type Env = Readonly<Record<string, string | undefined>>;

/** Node's timers take no longer time. */
const MAX_TIMER_MS = 2_147_483_647;

/** An empty variable counts as missing. A value that cannot be used adds a problem, and its fallback is returned. */
export interface EnvReader {
  readonly problems: readonly string[];
  problem(sentence: string): void;
  text(name: string): string | null;
  integer(name: string, fallback: number, min: number, max?: number): number;
  /** Milliseconds. */
  duration(name: string, fallback: number, min: number): number;
  flag(name: string, fallback: boolean): boolean;
  oneOf<T extends string>(name: string, values: readonly T[], fallback: T): T;
  /** The value may hold a password: it is not repeated in the sentence. */
  url(name: string, pattern: RegExp, example: string): string | null;
  /** Two names of one setting: the first that is set; both with different values are a problem. */
  either(name: string, other: string): string | null;
}

export function envReader(env: Env): EnvReader {
  const problems: string[] = [];
  const text = (name: string): string | null => env[name]?.trim() || null;

  function integer(name: string, fallback: number, min: number, max = Number.MAX_SAFE_INTEGER): number {
    const raw = text(name);
    if (raw === null) return fallback;
    const value = Number(raw);
    if (/^\d+$/.test(raw) && value >= min && value <= max) return value;
    problems.push(`${name} must be a whole number from ${min} to ${max}, and is "${raw}".`);
    return fallback;
  }

  function oneOf<T extends string>(name: string, values: readonly T[], fallback: T): T {
    const raw = text(name);
    if (raw === null) return fallback;
    const value = values.find((candidate) => candidate === raw);
    if (value) return value;
    problems.push(`${name} must be one of ${values.join(", ")}, and is "${raw}".`);
    return fallback;
  }

  return {
    problems,
    problem: (sentence) => void problems.push(sentence),
    text,
    integer,
    oneOf,
    duration: (name, fallback, min) => integer(name, fallback, min, MAX_TIMER_MS),
    flag: (name, fallback) => oneOf(name, ["true", "false"], fallback ? "true" : "false") === "true",

    url(name, pattern, example) {
      const raw = text(name);
      // A Postgres behind a Unix socket has no host in its URL.
      if (raw !== null && !(pattern.test(raw) && URL.canParse(raw.replace("@/", "@localhost/")))) {
        problems.push(
          `${name} must be a URL such as ${example}, with %-codes for characters like / ? # @ in a password.`,
        );
      }
      return raw;
    },

    either(name, other) {
      const [value, second] = [text(name), text(other)];
      if (value !== null && second !== null && value !== second) {
        problems.push(
          `${name} and ${other} mean the same and differ ("${value}", "${second}"): set one of them.`,
        );
      }
      return value ?? second;
    },
  };
}
