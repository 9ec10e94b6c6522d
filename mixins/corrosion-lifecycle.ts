/** @module An actor that pauses while its own node's Corrosion agent restarts, and surely goes on afterwards. */
import type { Context, Service, ServiceSchema } from "moleculer";
import type { Ready, RestartFailed, Restarting, RestartPhase } from "../services/corrosion/contract.ts";

/** Why an actor goes on. */
export type Release =
  | { readonly kind: "ready"; readonly restart_id: string }
  | {
      readonly kind: "restart_failed";
      readonly restart_id: string;
      readonly phase: RestartPhase;
      readonly reason: string;
    }
  /** Nobody said how the restart ended. */
  | { readonly kind: "watchdog"; readonly restart_id: string };

export interface LifecycleHooks<This> {
  /** Longest pause; default 60 s. */
  readonly watchdogMs?: number | ((this: This) => number);
  /** The agent is about to end. Called once a pause, also when another restart takes the place of the first. */
  paused(this: This, restart: Restarting): void;
  /** The pause is over. Called also, with `ready`, for a restart whose beginning this actor did not see. */
  resumed(this: This, release: Release): void;
}

interface Pause {
  readonly restartId: string;
  readonly watchdog: NodeJS.Timeout;
}

const WATCHDOG_MS = 60_000;

/** Pauses of the services of this process, each under its own instance: several nodes may share the process. */
const pauses = new WeakMap<object, Pause>();

/** Id of the restart for which the service pauses; null when it does not. */
export function pausedFor(service: object): string | null {
  return pauses.get(service)?.restartId ?? null;
}

/**
 * Calls the hooks for the restarts of the service's own node; events of other nodes and of restarts that are over
 * change nothing. The pause ends with the matching event, with the watchdog, or with the service.
 */
export function corrosionLifecycle<This>(hooks: LifecycleHooks<This>): Partial<ServiceSchema> {
  const self = (service: Service) => service as unknown as This;

  function clear(service: Service): void {
    clearTimeout(pauses.get(service)?.watchdog);
    pauses.delete(service);
  }

  function release(service: Service, how: Release): void {
    clear(service);
    hooks.resumed.call(self(service), how);
  }

  function watchdogMs(service: Service): number {
    const { watchdogMs: ms = WATCHDOG_MS } = hooks;
    return typeof ms === "number" ? ms : ms.call(self(service));
  }

  function isOwn(service: Service, { node_id }: Restarting): boolean {
    return node_id === service.broker.nodeID;
  }

  return {
    events: {
      "corrosion.restarting"(this: Service, ctx: Context<Restarting>) {
        const restart = ctx.params;
        const { restart_id } = restart;
        const current = pauses.get(this);
        if (!isOwn(this, restart) || current?.restartId === restart_id) return;
        clear(this);
        const watchdog = setTimeout(() => {
          this.logger.warn("the end of a restart was never announced", { restart: restart_id });
          release(this, { kind: "watchdog", restart_id });
        }, watchdogMs(this));
        pauses.set(this, { restartId: restart_id, watchdog });
        if (current === undefined) hooks.paused.call(self(this), restart);
      },

      "corrosion.ready"(this: Service, ctx: Context<Ready>) {
        const { restart_id } = ctx.params;
        if (!isOwn(this, ctx.params)) return;
        const current = pauses.get(this);
        if (current === undefined || current.restartId === restart_id)
          release(this, { kind: "ready", restart_id });
      },

      "corrosion.restart_failed"(this: Service, ctx: Context<RestartFailed>) {
        const { restart_id, phase, reason } = ctx.params;
        if (!isOwn(this, ctx.params) || pauses.get(this)?.restartId !== restart_id) return;
        release(this, { kind: "restart_failed", restart_id, phase, reason });
      },
    },

    stopped(this: Service) {
      clear(this);
    },
  };
}
