/** @module What a peer is: something that stores messages durably, one by one. */
import type { Send } from "../measure.ts";

/** Figures of different peers stand side by side in this order. */
export type PeerName = "JetStream" | "JetStream, 64 streams" | "RabbitMQ" | "Redis" | "Postgres" | "SQLite";

export interface Peer {
  readonly name: PeerName;
  /** What one message is there, for the table. */
  readonly what: string;
  /** Messages in flight at which it is measured, the lowest first. */
  readonly depths: readonly number[];
  /** Stores one message of 200 bytes. */
  readonly send: Send;
  /** Forgets what was stored, so that later rounds find what earlier ones found. */
  clear(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Why a peer is not measured: a sentence for the reader. */
export class PeerMissing extends Error {
  override name = "PeerMissing";
}
