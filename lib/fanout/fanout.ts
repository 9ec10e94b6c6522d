/** @module Live fan-out: at-most-once delivery to whoever subscribed to a subject, on any node. */

export type FanoutHandler = (payload: unknown) => void;

export interface FanoutSubscription {
  /** Ends the delivery at once; idempotent. */
  unsubscribe(): void;
}

/** Payloads are JSON values; receivers must not change them, others may hold the same object. */
export interface Fanout {
  /** Whether the bus can be reached now. */
  readonly connected: boolean;
  /** Sends to every subscriber of the subject; never throws, may lose (subscribers repair gaps by sequence). */
  publish(subject: string, payload: unknown): void;
  /** Resolves once publications from every node will reach the handler. */
  subscribe(subject: string, handler: FanoutHandler): Promise<FanoutSubscription>;
  /**
   * Whether a node's connection to the bus is there: true or false when the bus knows, null when it cannot say now.
   * A process that was killed is gone at once, long before its heartbeats are missed; one that hangs is not.
   */
  isPresent(node: string): Promise<boolean | null>;
  close(): Promise<void>;
}
