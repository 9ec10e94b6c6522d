/** @module Bootstrap hosts as people write them: `name:port`, `ipv4:port`, `[ipv6]:port`. */

export type Hosts =
  | { readonly kind: "hosts"; readonly hosts: readonly string[] }
  /** One sentence for each host that cannot be used, under the host as it was given. */
  | { readonly kind: "refused"; readonly problems: Readonly<Record<string, string>> };

export const MAX_HOSTS = 100;
const MAX_NAME = 253;
const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const LABEL = /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/;

/**
 * Reads a list, or text with commas between the hosts; an empty one means no bootstrap hosts. A host that is named
 * twice counts once.
 */
export function parseHosts(given: string | readonly string[]): Hosts {
  // A comma too many in a text is a slip of the hand; an empty entry of a list is somebody's mistake.
  const entries = typeof given === "string" ? given.split(",").filter((entry) => entry.trim() !== "") : given;
  if (entries.length > MAX_HOSTS) {
    return {
      kind: "refused",
      problems: { hosts: `There are ${entries.length} bootstrap hosts, and ${MAX_HOSTS} is the most.` },
    };
  }
  const hosts = new Set<string>();
  // A map: a host may be called as it likes, `__proto__` too.
  const problems = new Map<string, string>();
  for (const entry of entries) {
    const host = entry.trim();
    const problem = problemOf(host);
    if (problem === null) hosts.add(host);
    else problems.set(host, problem);
  }
  return problems.size === 0
    ? { kind: "hosts", hosts: [...hosts] }
    : { kind: "refused", problems: Object.fromEntries(problems) };
}

/** One sentence on why this is no bootstrap host; null when it is one. */
function problemOf(host: string): string | null {
  const shown = JSON.stringify(host.slice(0, 100));
  if (host === "") return "A bootstrap host is empty: write it as name:port.";
  const [, bracketed, name, port] = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(host) ?? [];
  if (port === undefined) {
    if (isIPv6(host)) return `${shown} has no port, or no brackets: write an IPv6 address as [address]:port.`;
    return host.includes(":")
      ? `${shown} is no name:port, ipv4:port or [ipv6]:port.`
      : `${shown} has no port: write it as name:port.`;
  }
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) {
    return `${shown} has a port that is no whole number from 1 to 65535.`;
  }
  if (bracketed !== undefined) {
    return isIPv6(bracketed) ? null : `${shown} has no IPv6 address between its brackets.`;
  }
  return isName(name ?? "") ? null : `${shown} has no host name or IPv4 address before its port.`;
}

/** A DNS name or an IPv4 address; a name whose last label is a number can only be an address. */
function isName(name: string): boolean {
  const labels = name.replace(/\.$/, "").split(".");
  if (/^\d+$/.test(labels.at(-1) ?? "")) return IPV4.test(name);
  return name.length <= MAX_NAME && labels.every((label) => LABEL.test(label));
}

/** By what browsers have too. A zone names an interface of one machine and means nothing to another: it is none. */
function isIPv6(address: string): boolean {
  return /^[0-9A-Fa-f:.]+$/.test(address) && URL.canParse(`http://[${address}]`);
}
