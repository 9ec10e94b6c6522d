/** @module Versions of the NATS server: which one is the oldest that a replicated log may stand on. */

/** Earlier servers can lose acknowledged messages of a replicated stream when a node restarts. */
export const OLDEST_SERVER = "2.10.23";

/** Whether a version (`2.10.23`, `v2.12.0-RC.1`) is older than another; one that cannot be read counts as older. */
export function isOlder(version: string, than: string): boolean {
  const [a, b] = [parts(version), parts(than)];
  for (let i = 0; i < 3; i++) {
    const [left, right] = [a[i] ?? -1, b[i] ?? -1];
    if (left !== right) return left < right;
  }
  return false;
}

function parts(version: string): number[] {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version.trim());
  return match ? match.slice(1).map(Number) : [];
}
