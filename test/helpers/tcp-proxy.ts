/** @module A TCP proxy on loopback that can swallow answers or cut connections. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** From now on nothing comes back to the clients; what they send still goes through. */
  swallowAnswers(): void;
  /** Ends the connections that there are; new ones work as at the start. */
  cut(): void;
  stop(): Promise<void>;
}

export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let swallowed = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(targetPort, "127.0.0.1");
    sockets.add(client);
    const end = (): void => {
      sockets.delete(client);
      client.destroy();
      target.destroy();
    };
    for (const socket of [client, target]) socket.on("error", end).on("close", end);
    client.on("data", (chunk) => target.write(chunk));
    target.on("data", (chunk) => {
      if (!swallowed.has(client)) client.write(chunk);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: address.port,
    swallowAnswers: () => {
      swallowed = new Set(sockets);
    },
    cut,
    stop: async () => {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
