/** @module Sockets that are still open, and who opened them: what keeps a suite's process alive, in words. */
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

/** Channels on which Node tells of a socket while it is being made, so that the stack is its maker's. */
const CHANNELS = ["net.client.socket", "net.server.socket"];

export class OpenSockets {
  readonly #stacks = new Map<Socket, string>();

  constructor() {
    for (const channel of CHANNELS) {
      subscribe(channel, (message) => {
        const { socket } = message as { readonly socket: Socket };
        const { stack } = new Error(channel);
        this.#stacks.set(socket, stack ?? channel);
        socket.once("close", () => this.#stacks.delete(socket));
      });
    }
  }

  /** Each with its ends, and the lines of its stack that are not Node's own. */
  describe(): string[] {
    return [...this.#stacks].map(([{ localPort, remoteAddress, remotePort }, stack]) => {
      const lines = stack.split("\n").filter((line) => !line.includes("node:") && line !== "");
      const from = lines.filter((line) => !line.includes(import.meta.url)).map((line) => line.trim());
      return `socket ${localPort} to ${remoteAddress}:${remotePort}: ${from.join(" ")}`;
    });
  }
}
