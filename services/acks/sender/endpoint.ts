/** @module Where an acknowledgement may go: only to the ack API of the node that wrote the message. Pure. */
import { formatHostPort, type HostPort, parseHostPort } from "../../../lib/host-port.ts";
import type { Member } from "../../corrosion/contract.ts";

/** What this node knows of its neighbours. */
export interface Neighbours {
  /** `ack_endpoint` that the node says of itself in the registry; null when it says none. */
  readonly advertised: (nodeId: string) => string | null;
  readonly members: readonly Pick<Member, "node_id" | "address">[];
}

/** The port of a node's ack API by its gossip port. */
export type AckPort = (gossipPort: number) => number;

/** Development nodes gossip on 8786 + N and listen for acknowledgements on 5000 + N. */
const DEV_DISTANCE = 3786;

/** `port` is that of this node's own ack API: in production all nodes have the same one. */
export function ackPortOf(environment: "dev" | "test" | "prod", port: number): AckPort {
  return environment === "prod" ? () => port : (gossipPort) => gossipPort - DEV_DISTANCE;
}

/**
 * The endpoint of a message as host and port, if it is its node's: the advertised one, or the host of the node's
 * member with the ack port. Null when it is not; then nothing may be sent there.
 */
export function allowedEndpoint(
  endpoint: string,
  nodeId: string,
  { advertised, members }: Neighbours,
  ackPort: AckPort,
): HostPort | null {
  const asked = parseHostPort(endpoint);
  if (asked === null || asked.port === 0) return null;
  const wanted = formatHostPort(asked);
  const isAsked = (known: HostPort | null) => known !== null && formatHostPort(known) === wanted;
  const said = advertised(nodeId);
  if (said !== null && isAsked(parseHostPort(said))) return asked;
  const isMember = members.some(({ node_id, address }) => {
    const gossip = node_id === nodeId ? parseHostPort(address) : null;
    return gossip !== null && isAsked({ host: gossip.host, port: ackPort(gossip.port) });
  });
  return isMember ? asked : null;
}
