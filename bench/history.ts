/** @module Logs as busy groups leave them: entries of many appends, written straight to an engine. */
import { randomUUID } from "node:crypto";
import pLimit from "p-limit";
import { applyEntry } from "../lib/conversation/apply.ts";
import type { Command } from "../lib/conversation/commands.ts";
import { emptyState, type GroupState } from "../lib/conversation/state.ts";
import { groupOf, uuidv7 } from "../lib/ids.ts";
import type { GroupLog, LogEngine } from "../services/raft/engine/engine.ts";
import { encodeEntry } from "../services/raft/entry.ts";
import { MESSAGE_BYTES } from "./clients.ts";

export interface HistoryOptions {
  readonly groups: number;
  /** Commands in all. */
  readonly commands: number;
  /** Appends an entry: what group commit makes of a busy group. */
  readonly batch: number;
  /** Sessions in all. */
  readonly sessions: number;
}

const GROUPS_AT_A_TIME = 64;
/** 2026-01-01, in microseconds. */
const T0 = 1_767_225_600_000_000;

/** Writes the logs of all groups. The engine must be provisioned and empty. */
export async function writeHistory(engine: LogEngine, options: HistoryOptions): Promise<void> {
  const { groups, sessions, commands } = options;
  const ids: string[][] = Array.from({ length: groups }, () => []);
  for (let i = 0; i < sessions; i++) ids[groupOf(`session-${i}`, groups)]!.push(`session-${i}`);
  const limit = pLimit(GROUPS_AT_A_TIME);
  const share = Math.ceil(commands / groups);
  await Promise.all(
    ids.map((own, group) =>
      limit(async () => new GroupWriter(await engine.open(group), own).write(share, options.batch)),
    ),
  );
}

class GroupWriter {
  readonly #log: GroupLog;
  readonly #sessions: readonly string[];
  readonly #state: GroupState;
  #at = T0;

  constructor(log: GroupLog, sessions: readonly string[]) {
    this.#log = log;
    this.#sessions = sessions;
    this.#state = emptyState(log.group);
  }

  async write(commands: number, batch: number): Promise<void> {
    await this.#entry(1, [{ t: "claim", v: 1, epoch: 1, node: "bench", at: this.#at }]);
    for (let from = 0; from < this.#sessions.length; from += batch) {
      await this.#entry(
        1,
        this.#sessions.slice(from, from + batch).map((id) => this.#create(id)),
      );
    }
    if (this.#sessions.length > 0) {
      for (let written = this.#state.commands; written < commands; written += batch) {
        const appends = Array.from({ length: batch }, (_, i) => this.#append(written + i));
        await this.#entry(1, appends);
      }
    }
    await this.#entry(1, [{ t: "release", v: 1, at: this.#at }]);
  }

  #create(session: string): Command {
    return { t: "create", v: 1, session, user: "u", agent: "a", metadata: {}, at: this.#at };
  }

  #append(n: number): Command {
    this.#at += 100;
    return {
      t: "append",
      v: 1,
      session: this.#sessions[n % this.#sessions.length]!,
      id: uuidv7(this.#at),
      role: "user",
      sender: "u",
      kind: "text",
      content: { text: "x".repeat(MESSAGE_BYTES) },
      metadata: {},
      at: this.#at,
    };
  }

  async #entry(epoch: number, commands: readonly Command[]): Promise<void> {
    const header = { batch: randomUUID(), author: "bench", epoch, digest: this.#state.digest };
    const data = encodeEntry(
      header,
      commands.map((command) => JSON.stringify(command)),
    );
    const index = await this.#log.append(data, this.#state.applied, header.batch);
    applyEntry(this.#state, { index, epoch }, commands);
  }
}
