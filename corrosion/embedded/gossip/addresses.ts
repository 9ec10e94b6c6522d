/** @module Addresses as the configuration and members write them: `host:port`, `[ipv6]:port`, `name:port@dns:53`. */
import { isIP, isIPv6 } from "node:net";
import { GossipUnusable } from "./contract.ts";

export interface Address {
  /** Name or IP address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Where to look for peers. */
export interface BootstrapAddress extends Address {
  /** The DNS server to ask; null: as the system does. */
  readonly dns: Address | null;
}

const GOSSIP_PORT = 4001;
const DNS_PORT = 53;
const NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})$/;

/** Reads one entry of `gossip.bootstrap`. Throws `GossipUnusable`. */
export function parseBootstrap(text: string): BootstrapAddress {
  const at = text.indexOf("@");
  if (at < 0) return { ...parseAddress(text, GOSSIP_PORT), dns: null };
  return { ...parseAddress(text.slice(0, at), GOSSIP_PORT), dns: parseAddress(text.slice(at + 1), DNS_PORT) };
}

/** Reads `host:port` or `[ipv6]:port`; without a `usual` port, one must be there. Throws `GossipUnusable`. */
export function parseAddress(text: string, usual: number | null = null): Address {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? (isIPv6(text) ? text : "");
  const port = digits === undefined ? usual : Number(digits);
  const hostFits = bracketed === undefined ? isIP(host) !== 0 || NAME.test(host) : isIPv6(bracketed);
  if (!hostFits || port === null || port > 65_535 || (port === 0 && usual !== null)) {
    throw new GossipUnusable(
      `"${text.slice(0, 300)}" is no gossip address: write host:port or [ipv6]:port, with a port from 1 to 65535`,
    );
  }
  return { host, port };
}

/** An address that others on this machine can dial: listening on all interfaces is no place to go to. */
export function dialable({ host, port }: Address): Address {
  if (host === "0.0.0.0") return { host: "127.0.0.1", port };
  return host === "::" ? { host: "::1", port } : { host, port };
}
