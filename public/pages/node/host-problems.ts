/** @module What is wrong with bootstrap hosts, beside the text in which they stand. */
import { parseHosts } from "../../../lib/bootstrap-hosts.ts";
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

export type HostProblem = readonly [host: string, problem: string];

/**
 * What a text's hosts are refused for: by the rules that the node has too, and by what the node said of those of them
 * that still stand there. Its problems with the whole list stay.
 */
export function problemsOf(text: string, refused: Readonly<Record<string, string>>): readonly HostProblem[] {
  const parsed = parseHosts(text);
  const hosts = new Set(hostsIn(text));
  const still = Object.entries(refused).filter(([host]) => hosts.has(host) || host === "hosts");
  const own = parsed.kind === "refused" ? parsed.problems : {};
  return Object.entries({ ...Object.fromEntries(still), ...own });
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
