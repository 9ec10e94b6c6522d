/** @module Where to look for peers, and when: bootstrap names, remembered and known members, each with its back-off. */

import { lookup, Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import { formatHostPort } from "../../../lib/host-port.ts";
import { type Address, type BootstrapAddress, parseAddress } from "./addresses.ts";
import type { Pace } from "./contract.ts";

/** How much rarer than others Down members are tried, and names looked up again. */
const RARELY = 6;
/** Addresses that are dialed at the same time. */
const AT_ONCE = 16;
/** Failures after which a bootstrap address is called unreachable: peers that start together miss each other once. */
const PATIENCE = 3;
const DNS_TIMEOUT_MS = 2000;

interface Attempts {
  failures: number;
  nextAt: number;
  busy: boolean;
}

interface Name extends Attempts {
  readonly bootstrap: BootstrapAddress;
  readonly text: string;
  addresses: readonly string[];
}

export interface Candidate {
  readonly address: string;
  /** Probably in vain. */
  readonly down: boolean;
}

export interface DialerOptions {
  readonly bootstrap: readonly BootstrapAddress[];
  readonly remembered: readonly string[];
  readonly pace: Pace;
  /** Starts to connect; `succeeded`, `failed` or `pointless` must follow. */
  readonly dial: (address: Address, text: string) => void;
  /** Nobody is to be looked for there: it is this agent, or connected. */
  readonly skip: (address: string) => boolean;
  readonly onUnreachable: (address: string, message: string) => void;
  /** Random number from 0 to 1. */
  readonly random?: () => number;
}

export class Dialer {
  readonly #options: DialerOptions;
  readonly #names: readonly Name[];
  readonly #fixed: readonly string[];
  readonly #attempts = new Map<string, Attempts>();
  readonly #told = new Set<string>();
  readonly #resolving = new Set<Resolver>();
  #remembered: readonly string[];
  #stopped = false;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#remembered = options.remembered;
    const numeric = options.bootstrap.filter(({ host }) => isIP(host) !== 0);
    this.#fixed = numeric.map(formatHostPort);
    this.#names = options.bootstrap
      .filter((address) => !numeric.includes(address))
      .map((bootstrap) => ({ ...fresh(), bootstrap, text: nameOf(bootstrap), addresses: [] }));
  }

  /** Dials whatever is due at `now`, in milliseconds of a monotonic clock. */
  round(now: number, members: readonly Candidate[]): void {
    for (const name of this.#names) {
      if (!name.busy && name.nextAt <= now) void this.#resolve(name);
    }
    const found = [...this.#fixed, ...this.#names.flatMap((name) => name.addresses)];
    const candidates = new Map<string, boolean>();
    for (const { address, down } of members) candidates.set(address, down);
    for (const address of this.#remembered) if (!candidates.has(address)) candidates.set(address, true);
    for (const address of found) candidates.set(address, false);
    for (const address of this.#attempts.keys()) {
      if (!candidates.has(address)) this.#attempts.delete(address);
    }
    for (const [address, down] of candidates) this.#consider(address, down, now);
  }

  succeeded(address: string): void {
    this.#attempts.set(address, fresh());
    this.#told.delete(address);
  }

  failed(address: string, message: string): void {
    const attempts = this.#attempts.get(address);
    if (!attempts) return;
    this.#missed(attempts);
    const bootstrap =
      this.#fixed.includes(address) || this.#names.some((name) => name.addresses.includes(address));
    if (bootstrap && attempts.failures === PATIENCE) this.#tell(address, message);
  }

  /** Nobody to talk to answers there (another cluster, this agent itself): looked at again after a while. */
  pointless(address: string): void {
    const { redialMs } = this.#options.pace;
    this.#attempts.set(address, { ...fresh(), nextAt: performance.now() + RARELY * redialMs });
  }

  /** Addresses of members that are no longer listed, but worth a try. */
  remember(addresses: readonly string[]): void {
    this.#remembered = [...new Set([...this.#remembered, ...addresses])].slice(-1000);
    this.#attempts.clear();
  }

  stop(): void {
    this.#stopped = true;
    for (const resolver of this.#resolving) resolver.cancel();
  }

  #consider(address: string, down: boolean, now: number): void {
    const { dial, pace, skip } = this.#options;
    const attempts = this.#attempts.get(address) ?? fresh();
    this.#attempts.set(address, attempts);
    const wait = down && attempts.failures > 0 ? (RARELY - 1) * pace.redialMs : 0;
    if (attempts.busy || attempts.nextAt + wait > now || skip(address)) return;
    if ([...this.#attempts.values()].filter(({ busy }) => busy).length >= AT_ONCE) return;
    attempts.busy = true;
    dial(parseAddress(address), address);
  }

  #missed(attempts: Attempts): void {
    const { pace, random = Math.random } = this.#options;
    const backoff = Math.min(pace.redialMs, (pace.roundMs / 4) * 2 ** Math.min(attempts.failures, 20));
    attempts.failures += 1;
    attempts.busy = false;
    // Two agents that dial each other must not meet at the same moments for ever.
    attempts.nextAt = performance.now() + backoff * (0.75 + random() / 2);
  }

  async #resolve(name: Name): Promise<void> {
    name.busy = true;
    const { bootstrap, text } = name;
    try {
      const hosts = await this.#hosts(bootstrap);
      if (hosts.length === 0) throw new Error(`${bootstrap.host} has no address`);
      name.addresses = hosts.map((host) => formatHostPort({ host, port: bootstrap.port }));
      Object.assign(name, fresh(), { nextAt: performance.now() + RARELY * this.#options.pace.redialMs });
      this.#told.delete(text);
    } catch (error) {
      this.#missed(name);
      if (name.failures === PATIENCE && !this.#stopped) {
        this.#tell(text, error instanceof Error ? error.message : String(error));
      }
    }
  }

  async #hosts({ host, dns }: BootstrapAddress): Promise<readonly string[]> {
    if (dns === null) return (await lookup(host, { all: true })).map(({ address }) => address);
    const server = isIP(dns.host) === 0 ? (await lookup(dns.host)).address : dns.host;
    const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: 2 });
    resolver.setServers([formatHostPort({ host: server, port: dns.port })]);
    this.#resolving.add(resolver);
    try {
      const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
      const hosts = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
      const [first] = answers;
      if (hosts.length === 0 && first.status === "rejected") throw first.reason;
      return hosts;
    } finally {
      this.#resolving.delete(resolver);
    }
  }

  #tell(address: string, message: string): void {
    if (this.#told.has(address)) return;
    this.#told.add(address);
    this.#options.onUnreachable(address, message);
  }
}

function fresh(): Attempts {
  return { failures: 0, nextAt: 0, busy: false };
}

function nameOf({ host, port, dns }: BootstrapAddress): string {
  return dns === null
    ? formatHostPort({ host, port })
    : `${formatHostPort({ host, port })}@${formatHostPort(dns)}`;
}
