/** @module The admin socket: commands of operators, answered one after another on each connection. */
import { once } from "node:events";
import { lstatSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { makeFolder } from "../../../lib/folders.ts";
import { jsonText } from "../json/cells.ts";
import type { Log } from "../log.ts";
import { type AdminCommand, readCommand } from "./commands.ts";
import { frame, frames, UndecodableFrame } from "./frames.ts";

/** What a connection tells its client while a command runs. */
export interface AdminReplies {
  info(message: string): Promise<void>;
  /** A tree that may hold bigints. */
  json(value: unknown): Promise<void>;
}

/** Runs a command; success is sent when it resolves, its message when it throws. */
export type AdminHandler = (command: AdminCommand, replies: AdminReplies) => Promise<void>;

/** The socket cannot be opened; one sentence. */
export class AdminUnusable extends Error {
  override name = "AdminUnusable";
}

export interface AdminServer {
  /** Ends all connections and removes the socket. */
  stop(): Promise<void>;
}

/** The longest path that fits the system's socket address. */
const MAX_PATH_BYTES = process.platform === "darwin" ? 103 : 107;

/** Listens. A socket that nobody listens on any more is removed. Throws `AdminUnusable`. */
export async function startAdmin(path: string, handler: AdminHandler, log: Log): Promise<AdminServer> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new AdminUnusable(
      `The admin socket's path is longer than the ${MAX_PATH_BYTES} bytes that the system allows: shorten admin.path (${path}).`,
    );
  }
  await removeStale(path);
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    // Its reader sees the error, or nobody needs it.
    socket.on("error", () => {});
    serve(socket, handler).catch((error: unknown) => {
      log.warn("an admin connection ended", {
        reason: error instanceof Error ? error.message : String(error),
      });
      socket.destroy();
    });
  });
  await listen(server, path);
  return {
    stop: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of connections) socket.destroy();
      await closed;
      rmSync(path, { force: true });
    },
  };
}

async function removeStale(path: string): Promise<void> {
  try {
    makeFolder(dirname(path));
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return;
    if (!found.isSocket()) throw new AdminUnusable(`${path} is no socket: set admin.path to another path.`);
    if (await answers(path)) {
      throw new AdminUnusable(
        `Another agent listens on the admin socket ${path}: stop it, or set admin.path to another path.`,
      );
    }
    rmSync(path);
  } catch (error) {
    throw unusable(path, error);
  }
}

/** Whether somebody accepts connections on a socket's path. */
export async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // refused, or gone meanwhile
  } finally {
    socket.destroy();
  }
}

async function listen(server: Server, path: string): Promise<void> {
  server.listen(path);
  try {
    await once(server, "listening");
  } catch (error) {
    throw unusable(path, error);
  }
}

function unusable(path: string, error: unknown): AdminUnusable {
  if (error instanceof AdminUnusable) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new AdminUnusable(`The admin socket ${path} cannot be opened: ${reason}.`, { cause: error });
}

async function serve(socket: Socket, handler: AdminHandler): Promise<void> {
  try {
    for await (const text of frames(socket)) {
      const command = readCommand(text);
      try {
        await handler(command, {
          info: (message) => say(socket, logReply(message)),
          json: (value) => say(socket, { Json: value }),
        });
        await say(socket, "Success");
      } catch (error) {
        await say(socket, { Error: { msg: error instanceof Error ? error.message : String(error) } });
      }
    }
    socket.end();
  } catch (error) {
    if (!(error instanceof UndecodableFrame)) throw error;
    await say(socket, { Error: { msg: error.message } });
    socket.end();
  }
}

function say(socket: Socket, reply: unknown): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    // A client that has gone gets nothing; the end of its connection is seen where it is read.
    socket.write(frame(jsonText(reply)), () => resolve());
  });
}

/** The time is a tuple as Rust's `time` writes it: year, day of the year, hour, minute, second, nanosecond, offset. */
function logReply(message: string): unknown {
  const now = new Date();
  const newYear = Date.UTC(now.getUTCFullYear(), 0, 1);
  const day = Math.floor((now.getTime() - newYear) / 86_400_000) + 1;
  const ts = [
    now.getUTCFullYear(),
    day,
    now.getUTCHours(),
    now.getUTCMinutes(),
    now.getUTCSeconds(),
    now.getUTCMilliseconds() * 1_000_000,
    0,
    0,
    0,
  ];
  return { Log: { level: "info", msg: message, ts } };
}
