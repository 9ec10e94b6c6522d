/** @module What NATS says when something goes wrong, as the engine's outcomes. */
import { ErrorCode, NatsError } from "nats";
import { LogError, Unavailable } from "./errors.ts";

/** JetStream's error numbers, by the names of the server's `errors.json`. */
export const JS = {
  accountResourcesExceeded: 10002,
  noPeers: 10005,
  clusterNotAvailable: 10008,
  insufficientResources: 10023,
  noMessageFound: 10037,
  notEnabledForAccount: 10039,
  storageResourcesExceeded: 10047,
  messageExceedsMaximum: 10054,
  streamNameInUse: 10058,
  streamNotFound: 10059,
  streamNotMatch: 10060,
  sequenceNotMatch: 10063,
  wrongLastSequence: 10071,
  replicasNotSupported: 10074,
  notEnabled: 10076,
  storeFailed: 10077,
  headerExceedsMaximum: 10097,
  streamSealed: 10109,
  duplicateConflict: 10158,
  wrongLastSequenceConstant: 10164,
} as const;

/** JetStream's number of an API error; 0 for any other error. */
export function apiCode(error: unknown): number {
  return error instanceof NatsError ? (error.api_error?.err_code ?? 0) : 0;
}

/** Whether the server said that nobody listens on the subject: the request went nowhere. */
export function isNoResponders(error: unknown): boolean {
  return error instanceof NatsError && error.api_error === undefined && error.code === ErrorCode.NoResponders;
}

/** Whether the client refused to send: the connection is closed, or the message too large for the server. */
export function isUnsent(error: unknown): boolean {
  return (
    error instanceof NatsError &&
    (error.code === ErrorCode.ConnectionClosed ||
      error.code === ErrorCode.ConnectionDraining ||
      error.code === ErrorCode.MaxPayloadExceeded)
  );
}

/** `Unavailable` with what was tried and what the server said; an error that is an outcome already stays as it is. */
export function unavailable(what: string, error: unknown): LogError {
  if (error instanceof LogError) return error;
  return new Unavailable(`${what}: ${reasonOf(error)}`, { cause: error });
}

export function reasonOf(error: unknown): string {
  if (isNoResponders(error)) return "no server answers for it (no leader, or JetStream is off)";
  if (!(error instanceof NatsError)) return error instanceof Error ? error.message : String(error);
  if (error.api_error) return `${error.api_error.description} (${error.api_error.err_code ?? error.code})`;
  return error.code === ErrorCode.Timeout ? "no answer in time" : `${error.message} (${error.code})`;
}
