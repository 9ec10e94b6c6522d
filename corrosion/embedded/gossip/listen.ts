/** @module Listening on the gossip address. */

import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { formatHostPort } from "../../../lib/host-port.ts";
import type { Address } from "./addresses.ts";
import { GossipUnusable } from "./contract.ts";

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there",
  EADDRNOTAVAIL: "this machine has no such address",
  EACCES: "this user may not listen there",
};

/** A server on this address only, and the port that it got. Throws `GossipUnusable`. */
export async function listen(
  address: Address,
  accept: (socket: Socket) => void,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer(accept);
  try {
    server.listen({ host: address.host, port: address.port, exclusive: true });
    await once(server, "listening");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const why = REASONS[code] ?? (cause instanceof Error ? cause.message : String(cause));
    throw new GossipUnusable(`cannot listen on gossip.addr ${formatHostPort(address)}: ${why}`, { cause });
  }
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("a TCP server without a port");
  return { server, port: bound.port };
}
