/** @module One look at the DNS, which ends in time whatever the servers do. */
import { Resolver } from "node:dns/promises";
import type { DiscoveredNode } from "../contract.ts";
import { nodesOf, recordName } from "./txt.ts";

/** The names of the machines cannot be had; one sentence. */
export class LookupFailed extends Error {
  override name = "LookupFailed";
}

export interface LookupOptions {
  readonly app: string;
  /** `address` or `address:port`, in turn; null: those of the system. */
  readonly servers: readonly string[] | null;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/** Throws `LookupFailed` and `BadRecord`. */
export async function lookUp({ app, servers, limitMs, signal }: LookupOptions): Promise<DiscoveredNode[]> {
  const name = recordName(app);
  const resolver = new Resolver({ timeout: limitMs, tries: 1 });
  if (servers !== null) resolver.setServers([...servers]);
  let expired = false;
  // The resolver's own limit is for each server, and counts anew over TCP.
  const timer = setTimeout(() => {
    expired = true;
    resolver.cancel();
  }, limitMs);
  const cancel = () => resolver.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    return nodesOf(await resolver.resolveTxt(name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code !== "string") throw error;
    throw new LookupFailed(sentence(name, expired ? "ETIMEOUT" : code, limitMs), { cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", cancel);
  }
}

function sentence(name: string, code: string, limitMs: number): string {
  switch (code) {
    case "ETIMEOUT":
      return `the DNS gave no answer for ${name} within ${limitMs / 1000} s`;
    case "ENOTFOUND":
    case "ENODATA":
      return `the DNS knows no TXT record ${name}: is FLY_APP_NAME right?`;
    default:
      return `the DNS has no usable answer for ${name} (${code})`;
  }
}
