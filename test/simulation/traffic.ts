/** @module What is on its way in a simulated world: calls, answers and timers, each of which comes when chance says. */
import { Violation } from "./naive-group.ts";
import type { SimNode } from "./node.ts";
import type { World } from "./world.ts";

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

export class Traffic {
  readonly #world: World;
  readonly #network: Task[] = [];
  readonly #timers: Task[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** Whether anything but timers is on its way. */
  get busy(): boolean {
    return this.#network.length > 0;
  }

  /** One call or answer arrives. */
  deliver(): void {
    this.#runOne(this.#network);
  }

  /** One timer fires. */
  fire(): void {
    this.#runOne(this.#timers);
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
    if (!this.#world.happens(this.#world.climate.callLost)) this.later(node, "call", run);
  }

  answerCaller(run: () => void): void {
    if (!this.#world.happens(this.#world.climate.callLost))
      this.#network.push({ to: null, life: 0, what: ANSWER, run });
  }

  /** Something that happens away from all nodes. */
  elsewhere(what: string, run: () => void): void {
    this.#network.push({ to: null, life: 0, what, run });
  }

  /**
   * A request and its answer, each of which may be lost or so late that nobody waits any more; what was asked for is
   * done even so. What `serve` throws is the answer, unless it is a broken promise.
   */
  request<T>(
    node: SimNode,
    what: string,
    lost: number,
    answerLost: number,
    gaveUp: () => Error,
    serve: () => T,
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const { life } = node;
    let over = false;
    const answer = (end: () => void) => {
      if (over) return;
      over = true;
      this.#world.stir();
      end();
    };
    const [asks, answers] = [!this.#world.happens(lost), !this.#world.happens(answerLost)];
    const reply = (end: () => void) => {
      if (over) this.#world.stats.lateWrites += 1;
      // Nobody of a former life is there any more.
      if (answers && node.life === life) this.later(node, `answer to ${what}`, () => answer(end));
    };
    if (asks) {
      this.elsewhere(`${node.name} asks: ${what}`, () => {
        try {
          const served = serve();
          reply(() => resolve(served));
        } catch (error) {
          if (error instanceof Violation) throw error;
          reply(() => reject(error));
        }
      });
    }
    if (!asks || !answers || this.#world.happens(this.#world.climate.impatience)) {
      const giveUp = () => answer(() => reject(gaveUp()));
      this.timer(node, `no answer to ${what}`, giveUp, () => over);
    }
    return promise;
  }

  #runOne(tasks: Task[]): void {
    const { random, trace } = this.#world;
    let task: Task;
    do {
      if (tasks.length === 0) return;
      const i = random.below(tasks.length);
      task = tasks[i]!;
      if (task.to?.life === task.life && task.to.paused) return;
      tasks[i] = tasks.at(-1)!;
      tasks.pop();
    } while ((task.to && task.to.life !== task.life) || task.needless?.());
    if (task.what !== ANSWER) trace(() => (task.to ? `${task.to.name}: ${task.what}` : task.what));
    task.run();
  }
}
