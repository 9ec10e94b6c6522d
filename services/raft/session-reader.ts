/** @module What callers read of a group: headers, heads and pages, from RAM or brought back from the archive. */
import type { Clock } from "../../lib/clock.ts";
import type { GroupState, SessionState } from "../../lib/conversation/state.ts";
import { FleetError } from "../../lib/errors.ts";
import type { MessagePage } from "../conversations/contract.ts";
import type { History } from "./history.ts";
import type { Residency } from "./residency.ts";

export interface SessionReaderEnvironment {
  readonly state: () => GroupState;
  /** See `Lease.ensure`. */
  readonly ensureLease: () => Promise<void>;
  readonly residency: Residency;
  readonly history: History;
  readonly clock: Clock;
}

export class SessionReader {
  readonly #env: SessionReaderEnvironment;
  /** When sessions were last read here, in microseconds since 1970: what is read stays in RAM. */
  readonly #reads = new Map<string, number>();

  constructor(env: SessionReaderEnvironment) {
    this.#env = env;
  }

  /**
   * A session, brought back from the archive where it left RAM; null when it does not exist. Throws
   * `leader_unavailable` and `archive_unavailable`.
   */
  async session(id: string): Promise<SessionState | null> {
    const { clock, ensureLease, state } = this.#env;
    await ensureLease();
    const session = state().sessions.get(id) ?? (await this.#bring(id));
    if (session) this.#reads.set(id, clock());
    return session;
  }

  /** The last seq of each session that is resident; null of the others, which nobody has written to lately. */
  async heads(ids: readonly string[]): Promise<(number | null)[]> {
    const { clock, ensureLease, state } = this.#env;
    await ensureLease();
    const now = clock();
    return ids.map((id) => {
      const session = state().sessions.get(id);
      if (session) this.#reads.set(id, now);
      return session?.lastSeq ?? null;
    });
  }

  /** A page of a session's messages; null when the session does not exist. Throws as `session` and `History` do. */
  async messages(
    id: string,
    page: { after: number } | { before: number },
    limit: number,
    maxBytes: number,
  ): Promise<MessagePage | null> {
    const session = await this.session(id);
    if (!session) return null;
    const { history } = this.#env;
    return "before" in page
      ? history.before(session, page.before || session.lastSeq + 1, limit, maxBytes)
      : history.after(session, page.after, limit, maxBytes);
  }

  /** Whether a session was read here after a time, in microseconds since 1970. */
  readSince(id: string, since: number): boolean {
    return (this.#reads.get(id) ?? 0) > since;
  }

  /** Forgets reads that are older than this. */
  forget(before: number): void {
    for (const [id, at] of this.#reads) if (at <= before) this.#reads.delete(id);
  }

  async #bring(id: string): Promise<SessionState | null> {
    const residence = await this.#env.residency.bring(id);
    switch (residence) {
      case "archive_unavailable":
        throw new FleetError(
          residence,
          `Session "${id}" is not in RAM, and the archive cannot be asked now; try again.`,
        );
      case "unavailable":
        throw new FleetError("leader_unavailable", "The group's leader cannot write now; try again.");
      case "absent":
      case "resident":
        return this.#env.state().sessions.get(id) ?? null;
    }
  }
}
