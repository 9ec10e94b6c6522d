/** @module A node's runtime TOML as a whole: written at the start, read anew at each look, changed by jobs. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { systemClock } from "../../../lib/clock.ts";
import type { ConsoleConfig } from "../../../lib/console-config.ts";
import { readAgentToml } from "../../../lib/corrosion/agent-toml.ts";
import { writeDurably } from "../../../lib/durable-file.ts";
import { UnusableToml } from "../../../lib/toml.ts";
import type { NodeConfiguration } from "../contract.ts";
import { listBackups, readBackup, sweep, takeBackup } from "./backups.ts";
import { editBootstrap } from "./bootstrap-edit.ts";
import type { Change } from "./job.ts";
import { redactToml } from "./redact.ts";
import { knownGood, runtimeFile } from "./runtime-file.ts";

export const REPAIR = "roll back to a backup, or restore the canonical configuration";

export class RuntimeConfiguration {
  readonly path: string;
  readonly #config: ConsoleConfig;

  constructor(config: ConsoleConfig) {
    this.#config = config;
    this.path = runtimeFile(config);
  }

  /**
   * Gives the file the known-good text. One that somebody changed is kept as a backup. Throws the system's error, and
   * then the file is as it was.
   */
  async prepare(): Promise<void> {
    await sweep(this.path);
    const { text } = await knownGood(this.#config);
    const before = await this.read();
    if (before === text) return;
    if (before !== null) await this.backUp(before);
    await this.write(text);
  }

  /** The text; null when there is no file. */
  read(): Promise<string | null> {
    return readFile(this.path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw error;
    });
  }

  write(text: string): Promise<void> {
    return writeDurably(this.path, text);
  }

  backUp(text: string): Promise<string> {
    return takeBackup(this.path, text, systemClock());
  }

  /** What the file says at this moment, its secrets redacted. */
  async look(): Promise<Omit<NodeConfiguration, "node_id" | "editable" | "reason">> {
    const { apiToken } = this.#config.agent;
    const [text, backups, { canonical }] = await Promise.all([
      this.read(),
      listBackups(this.path),
      knownGood(this.#config),
    ]);
    const shared = { path: this.path, backups, canonical };
    if (text === null)
      return { ...shared, hosts: [], toml: null, problem: this.#problem("it does not exist") };
    const toml = redactToml(text, apiToken === null ? [] : [apiToken]);
    try {
      return { ...shared, toml, hosts: readAgentToml(text).bootstrap, problem: null };
    } catch (error) {
      if (!(error instanceof UnusableToml)) throw error;
      return { ...shared, toml, hosts: [], problem: this.#problem(error.message) };
    }
  }

  /** The present text with these bootstrap hosts. Throws a sentence. */
  withBootstrap(current: string | null, hosts: readonly string[]): Change {
    if (current === null) throw new Error(this.#problem("it does not exist"));
    try {
      readAgentToml(current);
      return { text: editBootstrap(current, hosts), hosts };
    } catch (error) {
      if (error instanceof UnusableToml) throw new Error(this.#problem(error.message), { cause: error });
      throw error;
    }
  }

  /** The text of this backup; without an id, of the newest one that an agent could use and that differs. Throws a sentence. */
  async fromBackup(current: string | null, id: string | null): Promise<Change> {
    const ids = id === null ? (await listBackups(this.path)).map((backup) => backup.id) : [id];
    for (const candidate of ids) {
      const text = await readBackup(this.path, candidate);
      if (text === null || (id === null && text === current)) continue;
      try {
        return { text, hosts: readAgentToml(text).bootstrap };
      } catch (error) {
        if (!(error instanceof UnusableToml)) throw error;
        if (id !== null) throw new Error(`backup ${id} cannot be used: ${error.message}`, { cause: error });
      }
    }
    throw new Error(
      id === null
        ? "there is no backup that differs from the present configuration and that an agent could use"
        : `there is no backup ${id} any more`,
    );
  }

  /** The known-good text. Throws a sentence when no agent could use it. */
  async fromKnownGood(): Promise<Change> {
    const { text, canonical } = await knownGood(this.#config);
    try {
      return { text, hosts: readAgentToml(text).bootstrap };
    } catch (error) {
      if (!(error instanceof UnusableToml)) throw error;
      const which = canonical ? "canonical" : "generated";
      throw new Error(`the ${which} configuration cannot be used: ${error.message}`, { cause: error });
    }
  }

  /** Whether there is a backup with this id. */
  async has(id: string): Promise<boolean> {
    return (await listBackups(this.path)).some((backup) => backup.id === id);
  }

  #problem(what: string): string {
    return `${basename(this.path)} cannot be used: ${what}; ${REPAIR}.`;
  }
}
