/** @module A disk of a few megabytes that a test can fill: a tmpfs, where this process may mount one. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk {
  readonly path: string;
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives back what `fill` took. */
  free(): void;
  /** Unmounts it; whatever used it must have ended. */
  stop(): Promise<void>;
}

const CHUNKS = [1 << 20, 1 << 16, 1 << 12, 1] as const;

/** Whether this process may mount: root on Linux, but not in every container. */
export const mayMount = process.platform === "linux" && process.getuid?.() === 0 && tryMount();

function tryMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), "fleetport-disk-"));
  try {
    mount(path, 1);
    execFileSync("umount", [path]);
    return true;
  } catch {
    return false; // the tests that need it are left out
  } finally {
    rmdirSync(path);
  }
}

function mount(path: string, megabytes: number): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "fleetport-test", path], {
    stdio: "ignore",
  });
}

export function smallDisk(megabytes: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), "fleetport-disk-"));
  mount(path, megabytes);
  // Blocks on a pipe that only this process holds: however this process ends, the disk does not outlive it.
  const guard = spawn("sh", ["-c", 'read _; umount -l "$0"; rmdir "$0"', path], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  const ballast = join(path, "ballast");
  return {
    path,
    fill: () => {
      const file = openSync(ballast, "a");
      for (const size of CHUNKS) {
        while (written(file, size)) {}
      }
      closeSync(file);
    },
    free: () => rmSync(ballast, { force: true }),
    stop: async () => {
      guard.stdin.end();
      await once(guard, "exit");
    },
  };
}

function written(file: number, bytes: number): boolean {
  try {
    return writeSync(file, Buffer.alloc(bytes)) > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOSPC") return false;
    throw error;
  }
}
