/** @module The program, by its commands: `up` runs all nodes in one process, `node` one of a cluster, `cluster` a whole one. */
import { readConfig } from "../lib/config.ts";
import { runAgents } from "./agents.ts";
import { runClusterCommand } from "./cluster.ts";
import { runDemo } from "./demo.ts";
import { runCluster } from "./node.ts";
import { runRepl } from "./repl.ts";
import { runStop } from "./stop.ts";
import { runUp } from "./up.ts";

const USAGE = `Usage: fleetport <command>
  up [N=3] [--no-repl]   the embedded mode: N nodes in this process, nothing else needed (npm start)
  node                   one node of a distributed fleet; NATS_URL says where the bus is
  cluster [N=3]          the distributed mode on this machine, in the background; --status shows it, --stop ends it
  agents start|stop [N]  Corrosion agents alone, in the background; --verbose says more
  stop                   ends what up, cluster or agents started in the background on these data
  demo [NODES=2] [ID] [MESSAGES=3] [WAIT=10]   a small experiment on a fleet that runs
  repl                   a REPL on a distributed fleet, or one command to it: repl fleet status`;

type Command = (args: readonly string[]) => Promise<void>;

const commands: Readonly<Record<string, Command>> = {
  up: (args) => runUp(args, process.env),
  node: () => runCluster(readConfig(process.env)),
  // Nothing of it may stay: not even a connection to a server that hangs.
  cluster: async (args) => process.exit(await runClusterCommand(args, process.env)),
  agents: async (args) => process.exit(await runAgents(args, process.env)),
  demo: (args) => runDemo(args, process.env),
  stop: async (args) => process.exit(await runStop(args, process.env)),
  repl: async (args) => {
    const code = await runRepl(args, process.env);
    if (code !== null) process.exit(code);
  },
};

async function main(): Promise<void> {
  const [name = "up", ...args] = process.argv.slice(2);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    process.stderr.write(`There is no command "${name}".\n${USAGE}\n`);
    process.exitCode = 1;
    return;
  }
  try {
    await command(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}

await main();
