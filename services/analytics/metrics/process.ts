/** @module What the process uses: CPU, memory, resources, delay of its event loop, since one asked last. */
import { monitorEventLoopDelay } from "node:perf_hooks";

export interface ProcessUse {
  /** Of one core, 100 for a whole one; a process can use more than one. */
  readonly cpu_percent: number;
  /** Resident, MiB. */
  readonly memory_mb: number;
  /** Active resources: sockets, timers, requests. */
  readonly runtime_handles: number;
  /** The 99th percentile of how late timers were. */
  readonly event_loop_lag_ms: number;
}

const RESOLUTION_MS = 10;
const MIB = 1024 * 1024;

const rounded = (value: number, digits: number) => Number(value.toFixed(digits));

/** Measures from when it is made until `stop`. Of the process, which embedded nodes share. */
export class ProcessMeter {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #cpu = process.cpuUsage();
  #at = performance.now();

  constructor() {
    this.#delay.enable();
  }

  /** What was used since the last call. */
  read(): ProcessUse {
    const at = performance.now();
    const cpu = process.cpuUsage();
    const busyMs = (cpu.user - this.#cpu.user + cpu.system - this.#cpu.system) / 1000;
    // What is recorded is the time between two timers, of which the resolution is no delay.
    const lag = this.#delay.count === 0 ? 0 : this.#delay.percentile(99) / 1e6 - RESOLUTION_MS;
    const use = {
      cpu_percent: rounded((100 * busyMs) / Math.max(at - this.#at, 1), 1),
      memory_mb: rounded(process.memoryUsage.rss() / MIB, 1),
      runtime_handles: process.getActiveResourcesInfo().length,
      event_loop_lag_ms: rounded(Math.max(0, lag), 3),
    };
    this.#cpu = cpu;
    this.#at = at;
    this.#delay.reset();
    return use;
  }

  stop(): void {
    this.#delay.disable();
  }
}
