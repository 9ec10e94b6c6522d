/** @module The CLI's side of the admin socket: one command on one connection. */
import { once } from "node:events";
import { connect } from "node:net";
import { parseWithSource, type SourceJson } from "../json/source.ts";
import { frame, frames } from "./frames.ts";

export interface Heard {
  log(level: string, message: string): void;
  json(value: SourceJson): void;
}

/** The command failed: what the agent said, or that nobody answers. */
export class CommandFailed extends Error {
  override name = "CommandFailed";
}

/** Sends a command (`"Ping"`, `{Cluster: "Members"}`…) and resolves on success. Throws `CommandFailed`. */
export async function command(path: string, request: unknown, heard: Heard): Promise<void> {
  const socket = connect(path);
  try {
    await once(socket, "connect").catch((error: Error) => {
      throw new CommandFailed(`No agent answers on the admin socket ${path}: ${error.message}`);
    });
    socket.write(frame(JSON.stringify(request)));
    for await (const text of frames(socket)) {
      const reply = parseWithSource(text);
      if (reply === "Success") return;
      const json = member(reply, "Json");
      if (json !== undefined) heard.json(json);
      const log = member(reply, "Log");
      if (log !== undefined) heard.log(String(member(log, "level")), String(member(log, "msg")));
      const error = member(reply, "Error");
      if (error === undefined) continue;
      const message = String(member(error, "msg"));
      heard.log("error", message);
      throw new CommandFailed(message);
    }
    throw new CommandFailed("Failed to get response from Corrosion's admin!");
  } finally {
    socket.destroy();
  }
}

function member(json: SourceJson, name: string): SourceJson | undefined {
  const isTable = typeof json === "object" && json !== null && !Array.isArray(json);
  return isTable && Object.hasOwn(json, name) ? (json as Record<string, SourceJson>)[name] : undefined;
}
