/** @module Actor ids: 32 hex digits in the program, 16 bytes in the tables, hyphens where people read them. */
import { randomUUID } from "node:crypto";
import type { ActorId } from "../replication.ts";

export function newActorId(): ActorId {
  return randomUUID().replaceAll("-", "");
}

export function actorBytes(id: ActorId): Uint8Array {
  return Uint8Array.from(Buffer.from(id, "hex"));
}

export function actorIdOf(bytes: Uint8Array): ActorId {
  return Buffer.from(bytes).toString("hex");
}
