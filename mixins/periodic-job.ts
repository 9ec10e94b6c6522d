/** @module A job that a service repeats for as long as it runs. */
import type { Service, ServiceSchema } from "moleculer";

export interface PeriodicJob<This> {
  readonly name: string;
  readonly everyMs: number;
  /** A run that is still going when the next one is due takes its place. */
  run(this: This): Promise<void> | void;
}

interface Running {
  readonly timer: NodeJS.Timeout;
  /** The run under way; null between runs. */
  current: Promise<void> | null;
}

/**
 * Runs the job every `everyMs` from the broker's start to the service's end; `stopped` waits for the run under way.
 * A run that fails is logged with the job's name and does not end the job.
 */
export function periodicJob<This>(job: PeriodicJob<This>): Partial<ServiceSchema> {
  // Each service of a process has its own timers, under its own instance.
  const running = new WeakMap<object, Running>();

  function tick(service: Service): void {
    const state = running.get(service);
    if (!state || state.current) return;
    state.current = Promise.resolve()
      .then(() => job.run.call(service as unknown as This))
      .catch((error: unknown) => {
        service.logger.error("a periodic job failed", { job: job.name, error: String(error) });
      })
      .finally(() => {
        state.current = null;
      });
  }

  return {
    events: {
      "$broker.started"(this: Service) {
        running.set(this, { timer: setInterval(() => tick(this), job.everyMs), current: null });
      },
    },
    async stopped(this: Service) {
      const state = running.get(this);
      running.delete(this);
      if (!state) return;
      clearInterval(state.timer);
      await state.current;
    },
  };
}
