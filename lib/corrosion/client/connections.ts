/** @module How many connections to each agent this process has open at present. */
import type { Socket } from "node:net";

/** Sockets are the process's own; an agent's address, as `host:port`, belongs to one of its nodes. */
const open = new Map<string, number>();

/** Connections to the agent that are made and not closed yet, streams included. */
export function openConnections(agent: string): number {
  return open.get(agent) ?? 0;
}

/** Counts a socket from when it is connected until it is closed. */
export function countConnection(agent: string, socket: Socket): void {
  socket.once("connect", () => {
    open.set(agent, openConnections(agent) + 1);
    socket.once("close", () => {
      const left = openConnections(agent) - 1;
      if (left === 0) open.delete(agent);
      else open.set(agent, left);
    });
  });
}
