/** @module What each command does, from the command line to the exit code. */
import { rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { command } from "../admin/client.ts";
import { answers } from "../admin/server.ts";
import { startAgent } from "../agent.ts";
import { type Config, DEFAULT_ADMIN_PATH, loadConfig, parseAddress, type SocketAddress } from "../config.ts";
import { prettyJsonText } from "../json/cells.ts";
import { openLog } from "../log.ts";
import { backupStore, type RestoredAs, restoreStore } from "../store/identity.ts";
import { AGENT_NAME, FOLLOWS } from "../version.ts";
import { type Command, type GlobalFlags, readArguments, USAGE, WrongUsage } from "./arguments.ts";
import { runExec, runQuery } from "./statements.ts";
import { openTerminal, type Terminal } from "./terminal.ts";

/** Whoever stops an agent that still starts waits so long for the start to be over. */
const START_MS = 5000;

export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Resolves when the agent shall stop. */
  readonly stopped: () => Promise<void>;
}

/** Runs a command line (without the program's name) and returns the exit code. */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    const { flags, command } = readArguments(args);
    await new Run(flags, surroundings).run(command);
    return 0;
  } catch (error) {
    if (error instanceof WrongUsage) {
      surroundings.err(`error: ${error.message}\n\n${USAGE}`);
      return 2;
    }
    surroundings.err(`${(error instanceof Error ? error.message : String(error)).replaceAll("\n", " ")}\n`);
    return 1;
  }
}

class Run {
  readonly #flags: GlobalFlags;
  readonly #around: Surroundings;
  readonly #terminal: Terminal;

  constructor(flags: GlobalFlags, around: Surroundings) {
    this.#flags = flags;
    this.#around = around;
    this.#terminal = openTerminal(around.env.RUST_LOG, around.out);
  }

  async run(command: Command): Promise<void> {
    switch (command.kind) {
      case "version":
        return this.#around.out(`corrosion ${FOLLOWS} (${AGENT_NAME})\n`);
      case "help":
        return this.#around.out(USAGE);
      case "agent":
        return this.#agent();
      case "reload":
        await this.#admin("Reload");
        return this.#terminal.info("Successfully reloaded Corrosion's schema from configured paths!");
      case "query":
        return runQuery(this.#apiAddr(), command, command.columns, this.#terminal);
      case "exec":
        return runExec(this.#apiAddr(), command, this.#terminal);
      case "backup":
        backupStore(this.#flags.dbPath ?? this.#config().db.path, command.path);
        return this.#terminal.info(
          `Successfully cleaned for restoration and backed up database to ${command.path}`,
        );
      case "restore":
        return this.#restore(command);
      case "admin":
        return this.#admin(command.request);
      case "lacking":
        throw new Error(`The ${AGENT_NAME} has no command "${command.name}": use real Corrosion for it.`);
    }
  }

  async #agent(): Promise<void> {
    const config = this.#config();
    const stopped = this.#around.stopped();
    const log = openLog(this.#around.env.RUST_LOG ?? "info", this.#around.out);
    const agent = await Promise.race([
      startAgent(config, log),
      stopped.then(() => delay(START_MS, null, { ref: false })),
    ]);
    if (agent === null) throw new Error(`The agent was stopped, but it still started ${START_MS} ms later.`);
    await stopped;
    log.info("stopping");
    await agent.stop();
    log.info("stopped");
  }

  async #restore(command: Command & { readonly kind: "restore" }): Promise<void> {
    if (await answers(this.#adminPath())) {
      throw new Error("corrosion is currently running, shut it down before restoring!");
    }
    const { db } = this.#config();
    restoreStore(command.path, db.path, ownerOf(command));
    rmSync(db.subscriptionsPath, { recursive: true, force: true });
    this.#terminal.info("cleared subscriptions");
    this.#terminal.info(`successfully restored ${command.path}`);
  }

  #admin(request: unknown): Promise<void> {
    return command(this.#adminPath(), request, {
      log: (level, message) => this.#terminal.log(level, message),
      json: (value) => this.#terminal.print(prettyJsonText(value)),
    });
  }

  #config(): Config {
    return loadConfig(this.#flags.config, this.#around.env);
  }

  #apiAddr(): SocketAddress {
    if (this.#flags.apiAddr === null) return this.#config().api.addrs[0]!;
    const addr = parseAddress(this.#flags.apiAddr);
    if (addr !== null) return addr;
    throw new WrongUsage(
      `invalid value '${this.#flags.apiAddr}' for '--api-addr': invalid socket address syntax`,
    );
  }

  /** Of the flag, else of the configuration; one that cannot be read has the default. */
  #adminPath(): string {
    if (this.#flags.adminPath !== null) return this.#flags.adminPath;
    try {
      return this.#config().admin.path;
    } catch {
      return DEFAULT_ADMIN_PATH;
    }
  }
}

function ownerOf({ selfActorId, actorId }: Command & { readonly kind: "restore" }): RestoredAs {
  if (actorId !== null) return { kind: "actor", actorId: actorId.replaceAll("-", "") };
  return selfActorId ? { kind: "self" } : { kind: "new" };
}
