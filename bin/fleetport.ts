/** @module The program: `fleetport up` runs three nodes in one process, `fleetport node` runs one of a cluster. */
import { type Config, readConfig } from "../lib/config.ts";
import { runCluster } from "./node.ts";
import { runEmbedded } from "./up.ts";

const USAGE = `Usage: fleetport <command>
  up      the embedded mode: all nodes in this process, nothing else needed (npm start)
  node    one node of a distributed fleet; NATS_URL says where the bus is`;

const commands: Readonly<Record<string, (config: Config) => Promise<void>>> = {
  up: runEmbedded,
  node: runCluster,
};

async function main(): Promise<void> {
  const name = process.argv[2] ?? "up";
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    process.stderr.write(`There is no command "${name}".\n${USAGE}\n`);
    process.exitCode = 1;
    return;
  }
  try {
    await command(readConfig(process.env));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}

await main();
