/** @module The commands `backup` and `restore`: copies of the database that belong to no agent. */
import { copyFileSync, existsSync, mkdirSync, realpathSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { actorBytes, newActorId } from "../store/actor-id.ts";
import { openReader } from "../store/connection.ts";
import { forgetOwner, ownerOf, setOwner } from "./identity.ts";

/** The copy was not made; one sentence, and nothing was changed. */
export class CopyFailed extends Error {
  override name = "CopyFailed";
}

/** Writes a consistent copy of a database, also of one in use, to a file that does not exist. Throws `CopyFailed`. */
export function backUp(dbPath: string, to: string): void {
  if (existsSync(to)) throw new CopyFailed(`${to} exists: name a file that does not.`);
  const source = openReader(dbPath);
  try {
    mkdirSync(dirname(to), { recursive: true });
    source.prepare("VACUUM INTO ?").run(to);
    change(to, (copy) => {
      forgetOwner(copy);
      copy.exec("DELETE FROM __corro_members");
    });
  } catch (error) {
    rmSync(to, { force: true });
    throw new CopyFailed(`The backup ${to} was not made: ${reasonOf(error)}.`, { cause: error });
  } finally {
    source.close();
  }
}

/** Whose the restored database is: a new actor's, the one's whose database is replaced, or a given one's (hex). */
export type Owner =
  | { readonly kind: "new" }
  | { readonly kind: "same" }
  | { readonly kind: "given"; readonly id: string };

/** Puts a backup in the place of a database that no agent uses. Throws `CopyFailed`. */
export function restore(from: string, dbPath: string, owner: Owner): void {
  const staged = `${dbPath}.restoring`;
  try {
    // Opening it also checks that it is a database of this agent.
    openReader(from).close();
    const actor = actorOf(owner, dbPath);
    const inPlace = existsSync(dbPath) && realpathSync(from) === realpathSync(dbPath);
    const target = inPlace ? dbPath : staged;
    if (!inPlace) {
      mkdirSync(dirname(dbPath), { recursive: true });
      copyFileSync(from, staged);
    }
    change(target, (copy) => setOwner(copy, actor));
    if (inPlace) return;
    renameSync(staged, dbPath);
    for (const suffix of ["-wal", "-shm"]) rmSync(dbPath + suffix, { force: true });
  } catch (error) {
    rmSync(staged, { force: true });
    throw new CopyFailed(`The backup ${from} was not restored: ${reasonOf(error)}.`, { cause: error });
  }
}

function actorOf(owner: Owner, dbPath: string): Uint8Array {
  if (owner.kind === "new") return actorBytes(newActorId());
  if (owner.kind === "given") return actorBytes(owner.id.replaceAll("-", ""));
  const current = openReader(dbPath);
  try {
    const actor = ownerOf(current);
    if (actor === null) throw new Error(`${dbPath} has no actor id of its own`);
    return actor;
  } finally {
    current.close();
  }
}

/** One transaction on a file that nobody else uses, without a journal beside it afterwards. */
function change(path: string, what: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(path, { readBigInts: true });
  try {
    db.exec("PRAGMA journal_mode = DELETE; BEGIN IMMEDIATE");
    what(db);
    db.exec("COMMIT");
  } finally {
    db.close();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
