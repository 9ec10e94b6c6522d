/** @module What this node knows of updates: its own reservation, the last status, and whether its initiator is lost. */
import type { ClusterUpdate, UpdateNodeState } from "../contract.ts";
import { interrupt, isOver } from "./plan.ts";
import { type Grant, RESERVATION_MS, type Reservation, release, reserve } from "./reservation.ts";

export interface WatchEnvironment {
  readonly nodeId: string;
  /** Monotonic, in milliseconds. */
  readonly monotonic: () => number;
  /** ISO 8601. */
  readonly now: () => string;
  /** This node's part of an update came to an end that its row should show. */
  readonly settled: (update: ClusterUpdate) => void;
}

const SILENT = "The node that led the update has not been heard of for two minutes.";
const SETTLED: ReadonlySet<UpdateNodeState> = new Set(["ready", "rolled_back"]);

export class Watch {
  readonly #env: WatchEnvironment;
  #held: Reservation | null = null;
  #update: ClusterUpdate | null = null;
  #lapse: NodeJS.Timeout | null = null;
  #silence: NodeJS.Timeout | undefined;

  constructor(env: WatchEnvironment) {
    this.#env = env;
  }

  get update(): ClusterUpdate | null {
    return this.#update;
  }

  /** Who has the node; null: nobody. */
  get holder(): Reservation | null {
    return this.#held !== null && this.#held.expires > this.#env.monotonic() ? this.#held : null;
  }

  /** Whether this very update has the node. */
  holds(updateId: string): boolean {
    return this.holder?.update_id === updateId;
  }

  reserve(wanted: { readonly update_id: string; readonly initiator: string }): Grant {
    const grant = reserve(this.#held, wanted, this.#env.monotonic());
    if (grant.kind === "granted") this.#hold(grant.reservation);
    return grant;
  }

  release(updateId: string): void {
    this.#hold(release(this.#held, updateId));
  }

  /** The initiator's word. One that was thought lost and speaks again is believed. */
  heard(update: ClusterUpdate): void {
    const before = this.#own(this.#update?.update_id === update.update_id ? this.#update : null);
    this.#update = update;
    // What a lost initiator began may still go on: such a reservation lapses by itself.
    if (isOver(update) && update.state !== "interrupted") this.release(update.update_id);
    const after = this.#own(update);
    if (after !== null && after !== before && SETTLED.has(after)) this.#env.settled(update);
  }

  /**
   * What others knew before this node was there; its own knowledge goes first. One that this node led before it was
   * restarted goes on nowhere; of another one that is under way its initiator will speak, or is lost.
   */
  learnt(update: ClusterUpdate): void {
    if (this.#update !== null) return;
    this.#update = update;
    if (isOver(update)) return;
    if (update.initiator === this.#env.nodeId) {
      this.#interrupt("The node that led the update was restarted.");
      return;
    }
    this.#silence = setTimeout(() => {
      if (this.#update === update) this.#interrupt(SILENT);
    }, RESERVATION_MS);
  }

  nodeLost(nodeId: string): void {
    if (this.#update?.initiator === nodeId && nodeId !== this.#env.nodeId) {
      this.#interrupt(`The node that led the update, ${nodeId}, was lost.`);
    }
  }

  stop(): void {
    if (this.#lapse) clearTimeout(this.#lapse);
    clearTimeout(this.#silence);
  }

  #own(update: ClusterUpdate | null): UpdateNodeState | null {
    return update?.nodes.find(({ node_id }) => node_id === this.#env.nodeId)?.status ?? null;
  }

  #hold(reservation: Reservation | null): void {
    this.#held = reservation;
    if (this.#lapse) clearTimeout(this.#lapse);
    this.#lapse = null;
    if (reservation === null) return;
    this.#lapse = setTimeout(() => this.#lapsed(reservation), reservation.expires - this.#env.monotonic());
  }

  #lapsed({ update_id }: Reservation): void {
    this.#hold(null);
    if (this.#update?.update_id === update_id) {
      this.#interrupt(SILENT);
    }
  }

  #interrupt(message: string): void {
    if (this.#update) this.#update = interrupt(this.#update, message, this.#env.now());
  }
}
