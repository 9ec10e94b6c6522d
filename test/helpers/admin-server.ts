/** @module A Unix socket that answers admin commands in bytes that a test chooses, cut where it likes. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { FrameDecoder } from "../../lib/corrosion/client/admin-frames.ts";

/** What is sent in answer to a command: each piece is a write of its own; `end` closes the connection afterwards. */
export interface Answer {
  readonly pieces: readonly Uint8Array[];
  readonly end?: boolean;
}

export interface AdminServer {
  readonly path: string;
  /** Commands as they came, as JSON texts. */
  readonly commands: string[];
  readonly connections: number;
  answer: (command: string) => Answer;
  stop(): Promise<void>;
}

export async function startAdminServer(): Promise<AdminServer> {
  const folder = await mkdtemp(join(tmpdir(), "fp-adm-"));
  const path = join(folder, "a.sock");
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    const decoder = new FrameDecoder();
    let queue = Promise.resolve();
    socket.on("data", (chunk) => {
      for (const command of decoder.push(chunk)) {
        commands.push(command);
        const { pieces, end } = made.answer(command);
        queue = queue.then(() => send(socket, pieces, end === true));
      }
    });
  });
  server.listen(path);
  await once(server, "listening");
  const made = {
    path,
    commands,
    get connections() {
      return sockets.size;
    },
    answer: (_command: string): Answer => ({ pieces: [] }),
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return made;
}

/** A frame of a JSON text, in the agent's format. */
export function frame(json: string): Buffer {
  const body = Buffer.from(json);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
}

async function send(socket: Socket, pieces: readonly Uint8Array[], end: boolean): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return;
    socket.write(piece);
    // So that the pieces arrive apart, more often than not.
    await turn();
  }
  if (end) socket.end();
}
