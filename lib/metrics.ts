/** @module Prometheus metrics of one node; several nodes may share a process, so none is global. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

interface Description {
  /** Without the prefix `fleet_`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** The counter of that name, made at the first call. */
export function counter(registry: Registry, { name, help, labels = [] }: Description): Counter {
  const existing = registry.getSingleMetric(`fleet_${name}`);
  if (existing instanceof Counter) return existing;
  return new Counter({ name: `fleet_${name}`, help, labelNames: [...labels], registers: [registry] });
}

/** The gauge of that name, made at the first call; `collect` sets it when it is scraped. */
export function gauge(
  registry: Registry,
  { name, help, labels = [] }: Description,
  collect?: (gauge: Gauge) => void,
): Gauge {
  const existing = registry.getSingleMetric(`fleet_${name}`);
  if (existing instanceof Gauge) return existing;
  return new Gauge({
    name: `fleet_${name}`,
    help,
    labelNames: [...labels],
    registers: [registry],
    ...(collect && {
      collect() {
        collect(this);
      },
    }),
  });
}

/** The histogram of durations in seconds of that name, made at the first call. */
export function durations(registry: Registry, { name, help, labels = [] }: Description): Histogram {
  const existing = registry.getSingleMetric(`fleet_${name}`);
  if (existing instanceof Histogram) return existing;
  return new Histogram({
    name: `fleet_${name}`,
    help,
    labelNames: [...labels],
    buckets: SECONDS,
    registers: [registry],
  });
}
