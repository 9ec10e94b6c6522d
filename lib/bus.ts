/** @module The bus between processes: Moleculer's NATS transporter, left in time and shown without its credentials. */
import { setTimeout as delay } from "node:timers/promises";
import { Transporters } from "moleculer";
import type { NatsConnection } from "nats";
import { readNatsUrl } from "./nats-access.ts";

/** How long what was sent last may take to reach the servers when a node leaves. */
const LEAVE_MS = 1000;

/** Lost connections, and credentials that are refused after the start, are tried again for ever. */
export function natsBus(natsUrl: string): Transporters.NATS {
  return new Bus({
    ...readNatsUrl(natsUrl),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    ignoreAuthErrorAbort: true,
  });
}

class Bus extends Transporters.NATS {
  /** Moleculer's own waits for servers that do not answer, then fails, and the broker skips the rest of its stop. */
  override async disconnect(): Promise<void> {
    const client = this.client as NatsConnection | null;
    const leaving = Promise.resolve(super.disconnect()).catch(() => undefined);
    await Promise.race([leaving, delay(LEAVE_MS, undefined, { ref: false })]);
    await client?.close();
  }

  /** What Moleculer answers when it is asked for the options of a broker, and its REPL prints. */
  toJSON(): object {
    return { type: "NATS", servers: this.opts.servers };
  }
}
