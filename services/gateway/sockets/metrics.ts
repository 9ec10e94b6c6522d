/** @module The metrics of a node's sockets. */
import { Counter, Gauge, type Registry } from "prom-client";

export interface SocketMetrics {
  readonly connections: Gauge;
  readonly channels: Gauge<"topic">;
  readonly gapRepairs: Counter;
}

/** The metrics in the node's registry; made by the first caller, because a gateway may start again on its node. */
export function socketMetrics(registry: Registry): SocketMetrics {
  return {
    connections: gauge(registry, "fleet_ws_connections", "Open WebSocket connections."),
    channels: gauge(registry, "fleet_ws_channels", "Joined channels.", ["topic"]),
    gapRepairs: counter(
      registry,
      "fleet_gap_repairs_total",
      "Reads that brought live channels messages whose publication was lost.",
    ),
  };
}

function gauge(registry: Registry, name: string, help: string, labelNames: "topic"[] = []): Gauge<"topic"> {
  const there = registry.getSingleMetric(name);
  return there instanceof Gauge ? there : new Gauge({ name, help, labelNames, registers: [registry] });
}

function counter(registry: Registry, name: string, help: string): Counter {
  const there = registry.getSingleMetric(name);
  return there instanceof Counter ? there : new Counter({ name, help, registers: [registry] });
}
