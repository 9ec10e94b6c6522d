/** @module What the node says of each bootstrap host, beside the text in which they stand. */
import { ApiError } from "../../data/api-error.ts";

/** The hosts of a text with commas between them. */
export function hostsIn(text: string): readonly string[] {
  return text
    .split(",")
    .map((host) => host.trim())
    .filter((host) => host !== "");
}

/** A sentence for each host that the node refused; empty for every other failure. */
export function refusedHosts(error: unknown): Readonly<Record<string, string>> {
  return error instanceof ApiError && error.status === 400 ? error.fields : {};
}

/** Those that still stand in the text: what was mended is no problem any more. Problems of the whole list stay. */
export function stillWrong(
  problems: Readonly<Record<string, string>>,
  text: string,
): readonly (readonly [host: string, problem: string])[] {
  const hosts = new Set(hostsIn(text));
  return Object.entries(problems).filter(([host]) => hosts.has(host) || host === "hosts");
}

/** The hosts of a row of `node_configs`, which are a JSON list; the text itself where it is none. */
export function hostsOfRow(text: string): readonly string[] {
  try {
    const hosts: unknown = JSON.parse(text);
    if (Array.isArray(hosts)) return hosts.map(String);
  } catch {
    // Another program may write what it likes there: shown as it is.
  }
  return text === "" ? [] : [text];
}
