/** @module A TCP proxy on loopback that can swallow answers, cut connections, or stand for a network that is down. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** From now on nothing comes back to the clients; what they send still goes through. */
  swallowAnswers(): void;
  /** Ends the connections that there are; new ones work as at the start. */
  cut(): void;
  /** Holds back every byte in both directions; connections stay open, as in a network that loses all packets. */
  freeze(): void;
  /** Ends the connections that there are and every new one, as where nobody listens. */
  sever(): void;
  /** Undoes `freeze` and `sever`: what was held back arrives now, late. */
  heal(): void;
  stop(): Promise<void>;
}

export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Map<Socket, Socket>();
  let swallowed = new Set<Socket>();
  let frozen = false;
  let severed = false;
  const server = createServer((client) => {
    if (severed) return void client.destroy();
    const target = connect(targetPort, "127.0.0.1");
    pairs.set(client, target);
    const end = (): void => {
      pairs.delete(client);
      client.destroy();
      target.destroy();
    };
    for (const socket of [client, target]) socket.on("error", end).on("close", end);
    client.on("data", (chunk) => target.write(chunk));
    target.on("data", (chunk) => {
      if (!swallowed.has(client)) client.write(chunk);
    });
    if (frozen) for (const socket of [client, target]) socket.pause();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  const cut = (): void => {
    for (const client of pairs.keys()) client.destroy();
  };
  return {
    port: address.port,
    swallowAnswers: () => {
      swallowed = new Set(pairs.keys());
    },
    cut,
    freeze: () => {
      frozen = true;
      for (const pair of pairs) for (const socket of pair) socket.pause();
    },
    sever: () => {
      severed = true;
      cut();
    },
    heal: () => {
      frozen = false;
      severed = false;
      for (const pair of pairs) for (const socket of pair) socket.resume();
    },
    stop: async () => {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
