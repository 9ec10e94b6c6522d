/** @module The sessions of a user, newest first, with what is new in each. */
import { useState } from "preact/hooks";
import type { Session, SessionPage } from "../../../services/conversations/contract.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { classes } from "../../components/classes.ts";
import { Notice } from "../../components/notice.tsx";
import { api } from "../../data/api.ts";
import type { Resource } from "../../data/resource.ts";
import { toast } from "../../data/toasts.ts";
import { countText } from "../../data/wording.ts";
import { allOf, newIn } from "./session-list.ts";

export interface SessionsCardProps {
  readonly userId: string;
  readonly list: Resource<SessionPage>;
  readonly open: string | null;
  readonly seen: ReadonlyMap<string, number>;
  readonly onOpen: (id: string) => void;
}

interface Older {
  readonly sessions: readonly Session[];
  /** Null: there are no more. */
  readonly cursor: string | null;
}

/** Sessions that the card holds at most; others are found by their id. */
const MOST = 500;

export function SessionsCard({ userId, list, open, seen, onOpen }: SessionsCardProps) {
  const [older, setOlder] = useState<Older | null>(null);

  async function more(cursor: string): Promise<void> {
    const path = `/api/sessions?user_id=${encodeURIComponent(userId)}&cursor=${encodeURIComponent(cursor)}`;
    try {
      const page = await api<SessionPage>(path);
      setOlder((before) => ({
        sessions: [...(before?.sessions ?? []), ...page.sessions],
        cursor: page.next_cursor,
      }));
      toast.success(`${countText(page.sessions.length, "older session")}.`);
    } catch (error) {
      toast.error(error);
    }
  }

  return (
    <ResourceCard
      title="Sessions"
      resource={list}
      flush
      lines={5}
      empty={({ sessions, partial }) =>
        sessions.length === 0 && !partial ? `${userId} has no session yet.` : null
      }
    >
      {({ sessions, next_cursor, partial }) => {
        const all = allOf(sessions, older?.sessions ?? []);
        const cursor = older === null ? next_cursor : older.cursor;
        return (
          <>
            {partial && (
              <div class="p-3">
                <Notice tone="warn">The archive does not answer: older sessions may be missing.</Notice>
              </div>
            )}
            <ul class="max-h-96 divide-y divide-line overflow-y-auto">
              {all.map((session) => (
                <SessionRow
                  key={session.id}
                  session={session}
                  open={session.id === open}
                  fresh={session.id === open ? 0 : newIn(session, seen)}
                  onOpen={onOpen}
                />
              ))}
            </ul>
            {cursor !== null && all.length < MOST && (
              <div class="border-t border-line p-2 text-center">
                <Button size="small" tone="quiet" onPress={() => more(cursor)}>
                  Older sessions
                </Button>
              </div>
            )}
          </>
        );
      }}
    </ResourceCard>
  );
}

interface SessionRowProps {
  readonly session: Session;
  readonly open: boolean;
  /** Messages since it was seen. */
  readonly fresh: number;
  readonly onOpen: (id: string) => void;
}

function SessionRow({
  session: { id, agent_id, last_seq, status, updated_at },
  open,
  fresh,
  onOpen,
}: SessionRowProps) {
  return (
    <li>
      <button
        type="button"
        aria-current={open ? "true" : undefined}
        class={classes(
          "block w-full px-4 py-2 text-left transition-colors hover:bg-raised",
          open && "bg-accent-soft/50",
        )}
        onClick={() => onOpen(id)}
      >
        <span class="flex items-center gap-2">
          <span class="min-w-0 flex-1 truncate font-medium">{agent_id}</span>
          {fresh > 0 && <Badge tone="info">{fresh} new</Badge>}
          {status === "archived" && <Badge>archived</Badge>}
        </span>
        <span class="mt-0.5 flex items-center gap-2 text-xs text-muted">
          <span class="min-w-0 flex-1 truncate font-mono">{id}</span>
          <span class="tabular-nums">{countText(last_seq, "message")}</span>
          <Age at={updated_at} />
        </span>
      </button>
    </li>
  );
}
