/** @module A simulated world: nodes, callers, a log and what lies between, driven step by step by one seed. */
import { mock } from "node:test";
import { rankNodes } from "../../services/raft/placement.ts";
import { Prng } from "../helpers/prng.ts";
import { ArchiveModel } from "./archive-model.ts";
import { Client, PROOF } from "./client.ts";
import { type Defects, NO_DEFECTS } from "./defects.ts";
import { Ledger } from "./ledger.ts";
import { LogLink } from "./log-link.ts";
import { LogModel } from "./log-model.ts";
import { must } from "./naive-group.ts";
import { SimNode } from "./node.ts";
import { Traffic } from "./traffic.ts";
import { type Climate, drawClimate, noStats } from "./weather.ts";

/** Within so many steps after the weather turned good, the system works again. */
const STEPS_TO_HEAL = 12_000;

const CHAOS_STEPS = 2_500;

export class World {
  readonly random: Prng;
  readonly climate: Climate;
  readonly defects: Defects;
  readonly stats = noStats();
  readonly log: LogModel;
  readonly traffic = new Traffic(this);
  readonly logLink = new LogLink(this);
  readonly archive = new ArchiveModel();
  readonly ledger: Ledger;
  readonly nodes: readonly SimNode[];
  readonly sessions: readonly string[];
  /** Idempotency keys in use. */
  readonly keys: string[] = [];
  /** True once the weather is good. */
  healing = false;
  engineUp = true;
  #engineBackAt = 0;
  archiveUp = true;
  #archiveBackAt = 0;
  /** Microseconds since 1970. */
  now = 1_767_225_600_000_000;
  readonly #clients: readonly Client[];
  #tickets = 0;
  #ids = 0;
  readonly #lines: string[] | null;

  /** `lines` receives a readable trace, when given. */
  constructor(seed: number, defects: Defects = NO_DEFECTS, lines: string[] | null = null) {
    const random = new Prng(seed);
    this.random = random;
    this.defects = defects;
    this.#lines = lines;
    this.climate = drawClimate(random);
    this.log = new LogModel(defects.logIgnoresExpectedLast);
    this.ledger = new Ledger(this.log, this.archive, defects);
    this.nodes = Array.from({ length: 3 + random.below(3) }, (_, i) => new SimNode(`n${i + 1}`, this));
    this.sessions = Array.from({ length: 1 + random.below(4) }, (_, i) => `s${i + 1}`);
    for (const node of this.nodes) node.view = this.#everybody();
    this.#clients = Array.from({ length: 2 + random.below(3) }, (_, i) => new Client(`c${i + 1}`, this));
  }

  /** Runs the world to its end. Throws at the first step at which a promise is broken. */
  async run(): Promise<void> {
    try {
      await this.#live();
    } finally {
      // Archivers wait for their next pass.
      for (const node of this.nodes) node.leader?.forget();
    }
  }

  async #live(): Promise<void> {
    const { climate, random, stats } = this;
    const weights = [
      14,
      2.5,
      3,
      3,
      0.4,
      3,
      climate.views,
      climate.pauses,
      climate.crashes,
      climate.outages,
      climate.archiveOutages,
      0.3,
    ];
    for (let step = 0; step < CHAOS_STEPS; step++) {
      this.#pass(random.chance(0.02) ? 2_000_000 : 3_000);
      this.#step(random.weighted(weights));
      if (this.#stirred) await this.#settle();
    }
    await this.#heal();
    this.ledger.finish();
    stats.entries = this.log.last;
    stats.evictions = this.ledger.reference.evictions;
    stats.dedupedByArchive = this.ledger.reference.dedupedByArchive;
    for (const node of this.nodes) this.ledger.compareFully(node.state, node.name);
  }

  readonly trace = (line: () => string): void => {
    this.#lines?.push(`${String(this.stats.steps).padStart(5)}  ${line()}`);
  };

  nextTicket(): number {
    this.#tickets += 1;
    return this.#tickets;
  }

  nextId(prefix: string): string {
    this.#ids += 1;
    return `${prefix}${this.#ids}`;
  }

  /** Promises were settled: what waits for them goes on before anything else happens. */
  stir(): void {
    this.#stirred = true;
  }
  #stirred = false;

  /** A promise was broken in the midst of something that would survive the error. */
  broken(error: unknown): void {
    this.#broken ??= { error };
  }
  #broken: { readonly error: unknown } | null = null;

  async #settle(): Promise<void> {
    while (this.#stirred) {
      this.#stirred = false;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.#broken) throw this.#broken.error;
  }

  /** Whether something bad of this probability happens. */
  happens(probability: number): boolean {
    return !this.healing && this.random.chance(probability);
  }

  #everybody(): string[] {
    return this.nodes.map(({ id }) => id);
  }

  #pass(most: number): void {
    const before = this.now;
    this.now += this.random.below(most);
    const ms = Math.floor(this.now / 1000) - Math.floor(before / 1000);
    // Archivers wait by the machine's timers, which go by the world's time.
    if (ms > 0) mock.timers.tick(ms);
    this.stats.steps += 1;
    const { steps } = this.stats;
    for (const node of this.nodes) {
      if (node.up || steps < node.backAt) continue;
      if (node.alive) node.paused = false;
      else node.restart();
      this.trace(() => `${node.name} is back`);
    }
    if (!this.engineUp && steps >= this.#engineBackAt) this.engineUp = true;
    if (!this.archiveUp && steps >= this.#archiveBackAt) this.archiveUp = true;
    if (this.nodes.filter(({ leads }) => leads).length > 1) this.stats.severalLeaders += 1;
  }

  #step(kind: number): void {
    const { random, nodes, stats } = this;
    const node = random.pick(nodes);
    switch (kind) {
      case 0:
        return this.traffic.deliver();
      case 1:
        return this.traffic.fire();
      case 2:
        return node.up ? node.tick() : undefined;
      case 3:
        return node.up ? node.follow(1 + random.below(6)) : undefined;
      case 4:
        return node.up ? node.observe() : undefined;
      case 5:
        return random.pick(this.#clients).act();
      case 6:
        // Itself alone, everybody, or any part: views differ, and for long.
        node.view = this.#everybody().filter((id) => id === node.id || random.chance(0.5));
        return this.trace(() => `${node.name} sees ${node.view.join(" ")}`);
      case 7:
        if (!node.up) return;
        stats.pauses += 1;
        node.paused = true;
        node.backAt = this.#soonOrLate();
        return this.trace(() => `${node.name} pauses until step ${node.backAt}`);
      case 8:
        if (!node.alive) return;
        this.trace(() => `${node.name} crashes`);
        stats.crashes += 1;
        node.crash();
        node.backAt = this.#soonOrLate();
        return;
      case 9:
        if (!this.engineUp) return;
        this.engineUp = false;
        this.#engineBackAt = this.#soonOrLate();
        return this.trace(() => `the log is unavailable until step ${this.#engineBackAt}`);
      case 10:
        if (!this.archiveUp) return;
        this.archiveUp = false;
        this.#archiveBackAt = this.#soonOrLate();
        return this.trace(() => `the archive is away until step ${this.#archiveBackAt}`);
      default:
        if (random.chance(0.5)) return this.log.forget(1 + random.below(20));
        node.skew = random.below(4_000_000) - 2_000_000;
    }
  }

  #soonOrLate(): number {
    return this.stats.steps + this.random.below(this.random.pick([20, 80, 400]));
  }

  /** Faults end: everybody lives and sees everybody. The system must work again soon, and all is archived. */
  async #heal(): Promise<void> {
    const { nodes } = this;
    this.trace(() => "the weather is good from here");
    this.healing = true;
    this.engineUp = true;
    this.archiveUp = true;
    for (const node of nodes) {
      if (!node.alive) node.restart();
      node.paused = false;
      node.view = this.#everybody();
    }
    this.#clients[0]!.prove();
    const first = nodes.find(({ id }) => id === rankNodes(0, this.#everybody())[0])!;
    let turn = 0;
    for (let step = 0; step < STEPS_TO_HEAL; step++) {
      if (this.#works(first)) return;
      this.#pass(30_000);
      if (this.traffic.busy && step % 4 > 0) {
        this.traffic.deliver();
      } else {
        turn = (turn + 1) % 6;
        if (turn === 0) for (const node of nodes) node.follow(100);
        else if (turn === 1) for (const node of nodes) node.tick();
        else if (turn === 2) for (const node of nodes) node.observe();
        else this.traffic.fire();
      }
      if (this.#stirred) await this.#settle();
    }
    must(false, () => `${STEPS_TO_HEAL} steps after the faults ended the system does not work yet`);
  }

  /** `first` is to lead. */
  #works(first: SimNode): boolean {
    const { nodes, log } = this;
    return (
      first.leads &&
      !first.leader!.machine.inflight &&
      first.state.archived >= first.state.changed &&
      nodes.every((node) => (node === first || !node.leader) && node.state.applied === log.last) &&
      this.#clients.every(({ open }) => open === 0) &&
      this.ledger.acked(PROOF) > 0
    );
  }
}
