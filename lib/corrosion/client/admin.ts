/** @module The client of an agent's admin socket: commands in turn on one connection, each with all that it answers. */
import { createConnection, type Socket } from "node:net";
import { encodeFrame, FrameDecoder } from "./admin-frames.ts";
import { AgentError } from "./errors.ts";
import { isObject, type Json, parseJson } from "./json.ts";

export type AdminCommand =
  | "Ping"
  | "Reload"
  | { readonly Cluster: "Members" | "MembershipStates" | "Rejoin" }
  | { readonly Sync: "Generate" | "ReconcileGaps" | "CheckBookieConsistency" }
  | {
      readonly Subs: "List" | { readonly Info: { readonly hash: string | null; readonly id: string | null } };
    };

export interface AdminOptions {
  /** Of the Unix socket. */
  readonly path: string;
  /** For connecting, and for each command. */
  readonly timeoutMs?: number;
}

/** The agent understood the command and refuses it; the message is the agent's own. */
export class AdminRefusal extends Error {
  override name = "AdminRefusal";
}

const TIMEOUT_MS = 5000;
/** What the system takes as the path of a socket; longer ones are cut silently. */
const MAX_PATH_BYTES = 107;
const QUOTED = 120;

interface Pending {
  readonly answers: Json[];
  readonly timer: NodeJS.Timeout;
  resolve(answers: readonly Json[]): void;
  reject(error: Error): void;
}

/** Commands may be given before others are answered: agents answer them in order. Close it when done. */
export class AdminConnection {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #timeoutMs: number;
  readonly #decoder = new FrameDecoder();
  readonly #pending: Pending[] = [];
  #ended: AgentError | null = null;

  /** Throws `AgentError` (`unreachable`, `timeout`). */
  static async open({ path, timeoutMs = TIMEOUT_MS }: AdminOptions): Promise<AdminConnection> {
    return new AdminConnection(await connect(path, timeoutMs), path, timeoutMs);
  }

  private constructor(socket: Socket, path: string, timeoutMs: number) {
    this.#socket = socket;
    this.#path = path;
    this.#timeoutMs = timeoutMs;
    socket.on("data", (chunk) => this.#received(chunk));
    socket.on("error", (cause) => this.#fail(this.#error("unreachable", "was lost", cause)));
    socket.on("close", () => {
      const kind = this.#decoder.partial || this.#pending[0]?.answers.length ? "incomplete" : "unreachable";
      this.#fail(this.#error(kind, "ended before the answer"));
    });
  }

  /**
   * What the agent answers before its success, integers beyond 2^53 as bigints; log lines are left out. Throws
   * `AdminRefusal`, after which the connection goes on, and `AgentError` (`timeout`, `unreachable`, `incomplete`,
   * `protocol`), which ends it: what comes later could belong to another command.
   */
  command(command: AdminCommand): Promise<readonly Json[]> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(
          this.#error(
            "timeout",
            `gave no whole answer to ${JSON.stringify(command)} in ${this.#timeoutMs} ms`,
          ),
        );
      }, this.#timeoutMs);
      this.#pending.push({ answers: [], timer, resolve, reject });
      this.#socket.write(encodeFrame(command));
    });
  }

  /** Commands that are not answered fail. */
  close(): void {
    this.#fail(this.#error("unreachable", "was closed here"));
  }

  #error(
    kind: "timeout" | "unreachable" | "incomplete" | "protocol",
    what: string,
    cause?: unknown,
  ): AgentError {
    return new AgentError(kind, `the admin socket ${this.#path} ${what}`, { cause });
  }

  #fail(error: AgentError): void {
    if (this.#ended) return;
    this.#ended = error;
    this.#socket.destroy();
    for (const { timer, reject } of this.#pending.splice(0)) {
      clearTimeout(timer);
      reject(error);
    }
  }

  #received(chunk: Buffer): void {
    try {
      for (const text of this.#decoder.push(chunk)) {
        if (this.#ended) return;
        this.#reply(text);
      }
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      this.#fail(this.#error("protocol", `answered what no agent does: ${said}`, error));
    }
  }

  #reply(text: string): void {
    const reply = parseJson(text);
    const entries = isObject(reply) ? Object.entries(reply) : [];
    const [name, value] = entries.length === 1 ? entries[0]! : [];
    if (name === "Log") return;
    const pending = this.#pending[0];
    if (!pending) throw new SyntaxError("an answer that nobody asked for");
    if (name === "Json" && value !== undefined) pending.answers.push(value);
    else if (reply === "Success") this.#settle().resolve(pending.answers);
    else if (name === "Error" && isObject(value) && typeof value.msg === "string") {
      this.#settle().reject(new AdminRefusal(value.msg));
    } else throw new SyntaxError(text.slice(0, QUOTED));
  }

  #settle(): Pending {
    const pending = this.#pending.shift()!;
    clearTimeout(pending.timer);
    return pending;
  }
}

/** Gives the commands one after another on a connection of their own. Returns the answers to each; throws as they do. */
export async function askAdmin(
  options: AdminOptions,
  commands: readonly AdminCommand[],
): Promise<readonly (readonly Json[])[]> {
  const connection = await AdminConnection.open(options);
  try {
    const answers: (readonly Json[])[] = [];
    for (const command of commands) answers.push(await connection.command(command));
    return answers;
  } finally {
    connection.close();
  }
}

function connect(path: string, timeoutMs: number): Promise<Socket> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    const sentence = `the path of the admin socket is longer than ${MAX_PATH_BYTES} bytes, which no system takes: choose a shorter DATA_DIR (${path})`;
    return Promise.reject(new AgentError("unreachable", sentence));
  }
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    const settle = (then: () => void) => {
      clearTimeout(timer);
      socket.removeAllListeners("error").removeAllListeners("connect");
      then();
    };
    const timer = setTimeout(() => {
      settle(() =>
        reject(new AgentError("timeout", `the admin socket ${path} took no connection in ${timeoutMs} ms`)),
      );
      socket.destroy();
    }, timeoutMs);
    socket.once("connect", () => settle(() => resolve(socket)));
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      const sentence = `no agent answers at the admin socket ${path} (${cause.code ?? cause.message})`;
      settle(() => reject(new AgentError("unreachable", sentence, { cause })));
    });
  });
}
