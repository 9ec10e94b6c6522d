/** @module A simulated world: nodes, callers, a log and what lies between, driven step by step by one seed. */

import type { AppendResult } from "../../services/raft/leader.ts";
import { rankNodes } from "../../services/raft/placement.ts";
import { Prng } from "../helpers/prng.ts";
import { Client, PROOF } from "./client.ts";
import { type Defects, NO_DEFECTS } from "./defects.ts";
import { Ledger } from "./ledger.ts";
import { LogModel } from "./log-model.ts";
import { must } from "./naive-group.ts";
import { SimNode } from "./node.ts";
import { type Climate, drawClimate, noStats } from "./weather.ts";

/** Something that will happen: at a node (in one of its lives), or elsewhere. */
interface Task {
  readonly to: SimNode | null;
  readonly life: number;
  readonly what: string;
  readonly run: () => void;
  readonly needless?: () => boolean;
}

/** Not worth a line in the trace: what the caller hears is one. */
const ANSWER = "answer";

/** Within so many steps after the weather turned good, the system works again. */
const STEPS_TO_HEAL = 4_000;

const CHAOS_STEPS = 2_500;

export class World {
  readonly random: Prng;
  readonly climate: Climate;
  readonly defects: Defects;
  readonly stats = noStats();
  readonly log: LogModel;
  readonly ledger: Ledger;
  readonly nodes: readonly SimNode[];
  readonly sessions: readonly string[];
  /** Idempotency keys in use. */
  readonly keys: string[] = [];
  /** True once the weather is good. */
  healing = false;
  engineUp = true;
  #engineBackAt = 0;
  /** Microseconds since 1970. */
  now = 1_767_225_600_000_000;
  readonly #clients: readonly Client[];
  readonly #network: Task[] = [];
  readonly #timers: Task[] = [];
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
    this.ledger = new Ledger(this.log.entries, defects);
    this.nodes = Array.from({ length: 3 + random.below(3) }, (_, i) => new SimNode(`n${i + 1}`, this));
    this.sessions = Array.from({ length: 1 + random.below(4) }, (_, i) => `s${i + 1}`);
    for (const node of this.nodes) node.view = this.#everybody();
    this.#clients = Array.from({ length: 2 + random.below(3) }, (_, i) => new Client(`c${i + 1}`, this));
  }

  /** Runs the world to its end. Throws at the first step at which a promise is broken. */
  run(): void {
    const { climate, random } = this;
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
      0.3,
    ];
    for (let step = 0; step < CHAOS_STEPS; step++) {
      this.#pass(random.chance(0.02) ? 2_000_000 : 3_000);
      this.#step(random.weighted(weights));
    }
    this.#heal();
    this.ledger.finish();
    this.stats.entries = this.log.last;
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

  /** Something that a node does soon, as far as it still lives then. */
  later(node: SimNode, what: string, run: () => void): void {
    this.#network.push({ to: node, life: node.life, what, run });
  }

  /** `needless` tells that it need not fire any more. */
  timer(node: SimNode | null, what: string, run: () => void, needless = () => false): void {
    this.#timers.push({ to: node, life: node?.life ?? 0, what, run, needless });
  }

  callNode(node: SimNode, run: () => void): void {
    if (!this.#happens(this.climate.callLost)) this.later(node, "call", run);
  }

  answerCaller(run: () => void): void {
    if (!this.#happens(this.climate.callLost)) this.#network.push({ to: null, life: 0, what: ANSWER, run });
  }

  /** A publish: it may be lost, delayed for ever so long, arrive twice; its answer may be lost; it may time out. */
  append(
    node: SimNode,
    data: Uint8Array,
    expectedLast: number,
    messageId: string,
    answered: (result: AppendResult) => void,
  ): void {
    const { climate, stats } = this;
    const doubled = this.#happens(climate.doubled);
    const { life } = node;
    let over = false;
    const answer = (result: AppendResult) => {
      if (over) return;
      over = true;
      if (result.kind === "unknown") stats.unknown += 1;
      answered(this.#misunderstood(result, expectedLast));
    };
    const arrive = () => {
      // A definite "unavailable" is said only of a request no copy of which will ever be written.
      if (!this.engineUp && doubled) return;
      if (!this.engineUp) {
        if (node.life !== life) return;
        stats.definitelyUnavailable += 1;
        return this.later(node, `unavailable to ${messageId}`, () => answer({ kind: "unavailable" }));
      }
      const written = this.log.write(data, expectedLast, messageId);
      if (written.kind === "committed" && !written.duplicate) {
        if (over) stats.latePublishes += 1;
        if (node.life !== life) stats.orphanPublishes += 1;
        this.trace(() => `the log takes ${messageId} of ${node.id} at ${written.index}`);
        this.ledger.written(written.index, data);
      } else {
        if (written.kind === "committed") stats.duplicateAcks += 1;
        else if (this.log.batches[expectedLast] === messageId) stats.fencedByOwn += 1;
        this.trace(() => `the log answers ${messageId} with ${written.kind}, expected last ${expectedLast}`);
      }
      if (node.life !== life || this.#happens(climate.answerLost)) return;
      const result: AppendResult =
        written.kind === "committed" ? { kind: "committed", index: written.index } : { kind: "fenced" };
      this.later(node, `${result.kind} to ${messageId}`, () => answer(result));
    };
    const publish = () =>
      this.#network.push({ to: null, life: 0, what: `publish ${messageId} of ${node.name}`, run: arrive });
    if (!this.#happens(climate.lost)) publish();
    if (doubled) publish();
    this.timer(
      node,
      `no answer to ${messageId}`,
      () => answer({ kind: "unknown" }),
      () => over,
    );
  }

  inspect(node: SimNode, index: number, answered: (batch: string | null) => void): void {
    const failed = this.#happens(this.climate.unreadable);
    this.later(node, `inspect ${index}`, () => {
      const batch = failed || !this.engineUp ? null : (this.log.batches[index - 1] ?? null);
      answered(batch !== null && this.defects.fencedMeansForeign ? "not looked at" : batch);
    });
  }

  /** The log's last index as a candidate learns it: perhaps that of a copy that lags; null when it cannot be asked. */
  bounds(node: SimNode, answered: (last: number | null) => void): void {
    const failed = this.#happens(this.climate.unreadable);
    const lag = this.#happens(this.climate.stale) ? this.random.below(4) : 0;
    const last = Math.max(0, this.log.last - lag);
    this.later(node, "bounds", () => answered(failed || !this.engineUp ? null : last));
  }

  #misunderstood(result: AppendResult, expectedLast: number): AppendResult {
    const { defects } = this;
    if (result.kind === "unknown") {
      if (defects.unknownMeansCommitted) return { kind: "committed", index: expectedLast + 1 };
      if (defects.unknownMeansNotWritten) return { kind: "unavailable" };
    }
    if (result.kind === "fenced" && defects.fencedMeansCommitted) {
      return { kind: "committed", index: expectedLast + 1 };
    }
    return result;
  }

  #happens(probability: number): boolean {
    return !this.healing && this.random.chance(probability);
  }

  #everybody(): string[] {
    return this.nodes.map(({ id }) => id);
  }

  #pass(most: number): void {
    this.now += this.random.below(most);
    this.stats.steps += 1;
    const { steps } = this.stats;
    for (const node of this.nodes) {
      if (node.up || steps < node.backAt) continue;
      if (node.alive) node.paused = false;
      else node.restart();
      this.trace(() => `${node.name} is back`);
    }
    if (!this.engineUp && steps >= this.#engineBackAt) this.engineUp = true;
    if (this.nodes.filter(({ leads }) => leads).length > 1) this.stats.severalLeaders += 1;
  }

  #step(kind: number): void {
    const { random, nodes, stats } = this;
    const node = random.pick(nodes);
    switch (kind) {
      case 0:
        return this.#runOne(this.#network);
      case 1:
        return this.#runOne(this.#timers);
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
      default:
        if (random.chance(0.5)) return this.log.forget(1 + random.below(20));
        node.skew = random.below(4_000_000) - 2_000_000;
    }
  }

  #soonOrLate(): number {
    return this.stats.steps + this.random.below(this.random.pick([20, 80, 400]));
  }

  #runOne(tasks: Task[]): void {
    let task: Task;
    do {
      if (tasks.length === 0) return;
      const i = this.random.below(tasks.length);
      task = tasks[i]!;
      if (task.to?.life === task.life && task.to.paused) return;
      tasks[i] = tasks.at(-1)!;
      tasks.pop();
    } while ((task.to && task.to.life !== task.life) || task.needless?.());
    if (task.what !== ANSWER) this.trace(() => (task.to ? `${task.to.name}: ${task.what}` : task.what));
    task.run();
  }

  /** Faults end: everybody lives and sees everybody. The system must work again soon. */
  #heal(): void {
    const { nodes, log } = this;
    this.trace(() => "the weather is good from here");
    this.healing = true;
    this.engineUp = true;
    for (const node of nodes) {
      if (!node.alive) node.restart();
      node.paused = false;
      node.view = this.#everybody();
    }
    this.#clients[0]!.prove();
    const first = nodes.find(({ id }) => id === rankNodes(0, this.#everybody())[0])!;
    const works = () =>
      first.leads &&
      !first.leader!.inflight &&
      nodes.every((node) => (node === first || !node.leader) && node.state.applied === log.last) &&
      this.#clients.every(({ open }) => open === 0) &&
      this.ledger.acked(PROOF) > 0;
    let turn = 0;
    for (let step = 0; step < STEPS_TO_HEAL; step++) {
      if (works()) return;
      this.#pass(3_000);
      if (this.#network.length > 0) {
        this.#runOne(this.#network);
        continue;
      }
      turn = (turn + 1) % 6;
      if (turn === 0) for (const node of nodes) node.follow(100);
      else if (turn === 1) for (const node of nodes) node.tick();
      else if (turn === 2) for (const node of nodes) node.observe();
      else this.#runOne(this.#timers);
    }
    must(false, () => `${STEPS_TO_HEAL} steps after the faults ended the system does not work yet`);
  }
}
