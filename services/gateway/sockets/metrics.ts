/** @module The metrics of a node's sockets. */
import type { Counter, Gauge, Registry } from "prom-client";
import { counter, gauge } from "../../../lib/metrics.ts";

export interface SocketMetrics {
  readonly connections: Gauge;
  /** By `topic`: the part before the colon. */
  readonly channels: Gauge;
  readonly gapRepairs: Counter;
}

export function socketMetrics(registry: Registry): SocketMetrics {
  return {
    connections: gauge(registry, { name: "ws_connections", help: "Open WebSocket connections" }),
    channels: gauge(registry, { name: "ws_channels", help: "Joined channels", labels: ["topic"] }),
    gapRepairs: counter(registry, {
      name: "gap_repairs_total",
      help: "Reads that brought a live channel messages whose publication was lost",
    }),
  };
}
