/** @module Earlier texts of a runtime TOML, beside it as `node{N}.toml.{UTC stamp}.bak`. */
import { readdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isoMicros } from "../../../lib/clock.ts";
import { ASIDE, writeDurably } from "../../../lib/durable-file.ts";

export interface Backup {
  /** `20260102T030405.678901Z`: the time at which it was taken. */
  readonly id: string;
  readonly created_at: string;
}

export const MAX_BACKUPS = 20;
const ID = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d\.\d{6})Z$/;

/** Whether this can be the id of a backup: nothing else becomes part of a path. */
export function isBackupId(id: string): boolean {
  return ID.test(id);
}

/** Backups of the file, the newest first. Throws the system's error when the folder cannot be read. */
export async function listBackups(file: string): Promise<Backup[]> {
  return (await names(file))
    .flatMap((name) => {
      const id = idOf(file, name);
      return id === null ? [] : [{ id, created_at: id.replace(ID, "$1-$2-$3T$4:$5:$6Z") }];
    })
    .sort((a, b) => (a.id < b.id ? 1 : -1));
}

/** The text of a backup; null when there is none with this id. */
export async function readBackup(file: string, id: string): Promise<string | null> {
  if (!isBackupId(id)) return null;
  return readFile(pathOf(file, id), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
}

/**
 * Keeps this text of the file as a backup taken at `micros`, and no more than the newest 20. Returns its id. Throws
 * the system's error, and then there is no such backup.
 */
export async function takeBackup(file: string, text: string, micros: number): Promise<string> {
  const existing = await listBackups(file);
  let at = micros;
  // Two in one microsecond, or a clock that was set back, must not hide a backup behind an older one.
  while (existing[0] !== undefined && stamp(at) <= existing[0].id) at = after(existing[0], at);
  const id = stamp(at);
  await writeDurably(pathOf(file, id), text);
  for (const { id: old } of existing.slice(MAX_BACKUPS - 1)) await rm(pathOf(file, old), { force: true });
  return id;
}

/** Removes what writes that were cut off have left beside the file. */
export async function sweep(file: string): Promise<void> {
  for (const name of await names(file)) {
    const finished = name.slice(0, -ASIDE.length);
    const ours = finished === basename(file) || idOf(file, finished) !== null;
    if (name.endsWith(ASIDE) && ours) await rm(join(dirname(file), name), { force: true });
  }
}

/** A microsecond later than this backup. */
function after({ created_at }: Backup, at: number): number {
  const micros = Date.parse(`${created_at.slice(0, 23)}Z`) * 1000 + Number(created_at.slice(23, 26));
  return Math.max(at, micros) + 1;
}

function stamp(micros: number): string {
  return isoMicros(micros).replaceAll(/[-:]/g, "");
}

function pathOf(file: string, id: string): string {
  return `${file}.${id}.bak`;
}

function idOf(file: string, name: string): string | null {
  const prefix = `${basename(file)}.`;
  if (!name.startsWith(prefix) || !name.endsWith(".bak")) return null;
  const id = name.slice(prefix.length, -".bak".length);
  return isBackupId(id) ? id : null;
}

async function names(file: string): Promise<string[]> {
  return readdir(dirname(file)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}
