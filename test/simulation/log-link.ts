/** @module What lies between nodes and the log: requests and answers that are lost, late, doubled or outdated. */
import type { Command } from "../../lib/conversation/commands.ts";
import type { GroupLog, LogEntry } from "../../services/raft/engine/engine.ts";
import { Truncated, Unavailable } from "../../services/raft/engine/errors.ts";
import { decodeEntry } from "../../services/raft/entry.ts";
import type { AppendResult } from "../../services/raft/leader.ts";
import type { SimNode } from "./node.ts";
import type { World } from "./world.ts";

/** What stands at an index: its batch id, null when that cannot be told now. */
export type Inspected = { readonly batch: string | null } | "vanished";

export class LogLink {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** A publish: it may be lost, delayed for ever so long, arrive twice; its answer may be lost; it may time out. */
  append(
    node: SimNode,
    data: Uint8Array,
    expectedLast: number,
    messageId: string,
    answered: (result: AppendResult) => void,
  ): void {
    const world = this.#world;
    const { climate, stats, log } = world;
    const doubled = world.happens(climate.doubled);
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
      if (!world.engineUp && doubled) return;
      if (!world.engineUp) {
        if (node.life !== life) return;
        stats.definitelyUnavailable += 1;
        const kind = world.random.chance(0.2) ? "full" : "unavailable";
        return world.traffic.later(node, `${kind} to ${messageId}`, () => answer({ kind }));
      }
      const written = log.write(data, expectedLast, messageId);
      if (written.kind === "committed" && !written.duplicate) {
        if (over) stats.latePublishes += 1;
        if (node.life !== life) stats.orphanPublishes += 1;
        world.trace(() => {
          const commands = decodeEntry(0, written.index, data).commands.map(inBrief).join(", ");
          return `the log takes ${messageId} of ${node.id} at ${written.index}: ${commands}`;
        });
        world.ledger.written(written.index, data);
      } else {
        if (written.kind === "committed") stats.duplicateAcks += 1;
        else if (log.batches[expectedLast] === messageId) stats.fencedByOwn += 1;
        world.trace(() => `the log answers ${messageId} with ${written.kind}, expected last ${expectedLast}`);
      }
      if (node.life !== life || world.happens(climate.answerLost)) return;
      const result: AppendResult =
        written.kind === "committed" ? { kind: "committed", index: written.index } : { kind: "fenced" };
      world.traffic.later(node, `${result.kind} to ${messageId}`, () => answer(result));
    };
    const publish = () => world.traffic.elsewhere(`publish ${messageId} of ${node.name}`, arrive);
    if (!world.happens(climate.lost)) publish();
    if (doubled) publish();
    world.traffic.timer(
      node,
      `no answer to ${messageId}`,
      () => answer({ kind: "unknown" }),
      () => over,
    );
  }

  /** `own` is the batch that the asker hopes to find. */
  inspect(node: SimNode, index: number, own: string, answered: (inspected: Inspected) => void): void {
    const world = this.#world;
    const { log, stats, defects } = world;
    const failed = world.happens(world.climate.unreadable);
    world.traffic.later(node, `inspect ${index}`, () => {
      if (failed || !world.engineUp) return answered({ batch: null });
      if (index < log.first) {
        stats.vanished += 1;
        if (log.batches[index - 1] === own) stats.vanishedOwn += 1;
        return answered(defects.vanishedMeansForeign ? { batch: "not looked at" } : "vanished");
      }
      const batch = log.batches[index - 1] ?? null;
      answered({ batch: batch !== null && defects.fencedMeansForeign ? "not looked at" : batch });
    });
  }

  /** The log's last index as a candidate learns it: perhaps that of a copy that lags; null when it cannot be asked. */
  bounds(node: SimNode, answered: (last: number | null) => void): void {
    const world = this.#world;
    const failed = world.happens(world.climate.unreadable);
    const lag = world.happens(world.climate.stale) ? world.random.below(4) : 0;
    const last = Math.max(0, world.log.last - lag);
    world.traffic.later(node, "bounds", () => answered(failed || !world.engineUp ? null : last));
  }

  /** The log as a node's archiver, its readers and its recovery use it. */
  of(node: SimNode): GroupLog {
    const world = this.#world;
    const { log, climate } = world;
    const ask = <T>(what: string, serve: () => T) =>
      world.traffic.request(node, what, climate.unreadable / 2, climate.unreadable / 2, failure, () => {
        if (!world.engineUp) throw failure();
        return serve();
      });
    const never = () => {
      throw new Error("nobody does this with a simulated log");
    };
    return {
      group: 0,
      append: never,
      follow: never,
      health: never,
      bounds: () => ask("bounds", () => ({ first: log.first, last: log.last })),
      async *read(from, to = log.last): AsyncGenerator<LogEntry> {
        yield* await ask(`read ${from}..${to}`, () => {
          if (from < log.first) throw new Truncated(0, from, log.first);
          return log.entries.slice(from - 1, to).map((data, i) => ({ index: from + i, data }));
        });
      },
      truncate: (before) =>
        ask(`truncate before ${before}`, () => {
          const first = world.defects.truncatesToSnapshot ? node.state.snapshot.index + 1 : before;
          if (first <= log.first) return;
          world.ledger.archive.truncates(first);
          world.stats.truncations += 1;
          log.truncate(first);
        }),
    };
  }

  #misunderstood(result: AppendResult, expectedLast: number): AppendResult {
    const { defects } = this.#world;
    if (result.kind === "unknown") {
      if (defects.unknownMeansCommitted) return { kind: "committed", index: expectedLast + 1 };
      if (defects.unknownMeansNotWritten) return { kind: "unavailable" };
    }
    if (result.kind === "fenced" && defects.fencedMeansCommitted) {
      return { kind: "committed", index: expectedLast + 1 };
    }
    return result;
  }
}

function inBrief(command: Command): string {
  if (command.t === "evict") return `evict ${command.sessions.join(" ")}`;
  if (command.t === "archived") return `archived ${command.index}`;
  return "session" in command ? `${command.t} ${command.session}` : command.t;
}

function failure(): Unavailable {
  return new Unavailable("the log cannot be reached");
}
