/** @module Network addresses as agents write them: `host:port`, with IPv6 in brackets. */
import { isIPv4, isIPv6, SocketAddress } from "node:net";

export interface HostPort {
  /** IPv6 without brackets, in its shortest spelling; names in lower case. */
  readonly host: string;
  readonly port: number;
}

/** Reads `name:port`, `ipv4:port`, `[ipv6]:port` or `ipv6:port`; null when the text is none of them. */
export function parseHostPort(text: string): HostPort | null {
  const colon = text.lastIndexOf(":");
  const digits = text.slice(colon + 1);
  const port = Number(digits);
  if (colon < 1 || !/^\d{1,5}$/.test(digits) || port > 65_535) return null;
  const name = text.slice(0, colon);
  const bracketed = name.startsWith("[") && name.endsWith("]");
  const host = bracketed ? name.slice(1, -1) : name;
  if (isIPv6(host)) return { host: shortest(host), port };
  if (bracketed || !(isIPv4(host) || /^[\w.-]+$/.test(host))) return null;
  return { host: host.toLowerCase(), port };
}

/** `host:port`, IPv6 in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** One spelling for all that mean the same address; a zone (`%eth0`) stays. */
function shortest(ipv6: string): string {
  const [address = "", zone] = ipv6.toLowerCase().split("%");
  const short = new SocketAddress({ address, family: "ipv6" }).address;
  const parsed = URL.parse(`http://[${short}]/`);
  const host = parsed === null ? short : parsed.hostname.slice(1, -1);
  return zone === undefined ? host : `${host}%${zone}`;
}
