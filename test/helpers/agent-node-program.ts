/** @module A process of its own with one node and its agent: `node agent-node-program.ts FOLDER`, with the node's environment. */
import { agentNode } from "./agent-node.ts";

const [folder = ""] = process.argv.slice(2);
const node = agentNode(folder, process.env as Record<string, string>);
await node.start();
process.stdout.write(`${JSON.stringify(await node.reaches("running"))}\n`);
