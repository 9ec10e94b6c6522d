/** @module Peer: a RabbitMQ quorum queue with a copy on each of three local brokers, publisher confirms. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type ConfirmChannel, connect } from "amqplib";
import { freePort } from "../../test/helpers/program.ts";
import { until } from "../../test/helpers/until.ts";
import { MESSAGE_BYTES } from "../clients.ts";
import { programPath, type Server, startServer } from "../system.ts";
import { type Peer, PeerMissing } from "./peer.ts";

const QUEUE = "bench";
const BROKERS = 3;
const START_MS = 120_000;
const HANDSHAKE_MS = 2000;
/** Where Debian keeps RabbitMQ's own start script; the one on PATH changes the user. */
const SCRIPTS = "/usr/lib/rabbitmq/bin";
/** On few cores, schedulers that spin while they wait take time from the brokers themselves. */
const NO_SPINNING = "+sbwt none +sbwtdcpu none +sbwtdio none";

export async function rabbitPeer(): Promise<Peer> {
  const script = await programPath("rabbitmq-server", [SCRIPTS]);
  const epmd = await programPath("epmd");
  if (!script || !epmd) throw new PeerMissing("rabbitmq-server is not installed");
  const folder = await mkdtemp(join(tmpdir(), "bench-rabbit-"));
  const servers: Server[] = [];
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
    // The last of a broker's processes may still write for a moment.
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  };
  try {
    const ports = await freePort(1 + 2 * BROKERS);
    // Brokers would start one that stays for ever.
    servers.push(startServer(epmd, ["-port", String(ports), "-address", "127.0.0.1"]));
    await writeFile(join(folder, ".erlang.cookie"), "bench", { mode: 0o400 });
    const amqp = (i: number) => ports + 1 + 2 * i;
    // The first one alone, for two that find nobody at the same moment would not become one cluster.
    for (let i = 0; i < BROKERS; i++) {
      const broker = startServer(script, [], await environment(folder, i, ports));
      servers.push(broker);
      const isUp = () => answers(amqp(i)).catch(() => false);
      await until(
        `RabbitMQ broker ${i + 1} answers`,
        async () => !broker.running || (await isUp()),
        START_MS,
      );
      if (!broker.running) throw new Error(`RabbitMQ broker ${i + 1} ended`);
    }
    const connection = await connect(`amqp://127.0.0.1:${amqp(0)}`);
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue(QUEUE, {
      durable: true,
      arguments: { "x-queue-type": "quorum", "x-quorum-initial-group-size": BROKERS },
    });
    const body = Buffer.alloc(MESSAGE_BYTES, "x");
    return {
      name: "RabbitMQ",
      what: "one confirmed publish a message, quorum queue, R3",
      depths: [1, 512],
      send: () => publish(channel, body),
      clear: async () => void (await channel.purgeQueue(QUEUE)),
      stop: async () => {
        await connection.close();
        await stop();
      },
    };
  } catch (error) {
    const said = servers.map(({ output }) => output).join("\n");
    await stop();
    throw new Error(`RabbitMQ did not start: ${said}`, { cause: error });
  }
}

async function environment(folder: string, i: number, ports: number): Promise<Record<string, string>> {
  const home = join(folder, `b${i + 1}`);
  await mkdir(home);
  const config = join(home, "rabbitmq.conf");
  const lines = [
    `listeners.tcp.1 = 127.0.0.1:${ports + 1 + 2 * i}`,
    "cluster_formation.peer_discovery_backend = classic_config",
    ...Array.from(
      { length: BROKERS },
      (_, n) => `cluster_formation.classic_config.nodes.${n + 1} = ${nodeName(n)}`,
    ),
  ];
  await writeFile(config, `${lines.join("\n")}\n`);
  await writeFile(join(home, "enabled_plugins"), "[].\n");
  return {
    HOME: folder,
    ERL_CRASH_DUMP: join(home, "crash.dump"),
    ERL_EPMD_PORT: String(ports),
    RABBITMQ_NODENAME: nodeName(i),
    RABBITMQ_DIST_PORT: String(ports + 2 + 2 * i),
    RABBITMQ_CONFIG_FILE: config,
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, "enabled_plugins"),
    RABBITMQ_MNESIA_BASE: home,
    RABBITMQ_LOG_BASE: home,
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: NO_SPINNING,
  };
}

function nodeName(i: number): string {
  return `bench${i + 1}@localhost`;
}

/** A broker that still boots may take the connection and never say a word on it: then it is asked again. */
async function answers(port: number): Promise<boolean> {
  const connection = await connect(`amqp://127.0.0.1:${port}`, { timeout: HANDSHAKE_MS });
  await Promise.race([connection.close(), delay(HANDSHAKE_MS)]);
  return true;
}

function publish(channel: ConfirmChannel, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.sendToQueue(QUEUE, body, { persistent: true }, (error: unknown) =>
      error ? reject(new Error("RabbitMQ refused a message", { cause: error })) : resolve(),
    );
  });
}
