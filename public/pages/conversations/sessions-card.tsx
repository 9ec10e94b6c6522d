/** @module The sessions of a user, newest first, with what is new in each. */
import { useRef, useState } from "preact/hooks";
import type { Session, SessionPage } from "../../../services/conversations/contract.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { classes } from "../../components/classes.ts";
import { Notice } from "../../components/notice.tsx";
import { api } from "../../data/api.ts";
import { dataOf, type Resource } from "../../data/resource.ts";
import { toast } from "../../data/toasts.ts";
import { countText } from "../../data/wording.ts";
import { CreateDialog } from "./create-dialog.tsx";
import { allOf, newIn, passedAfter } from "./session-list.ts";

export interface SessionsCardProps {
  readonly userId: string;
  readonly list: Resource<SessionPage>;
  readonly open: string | null;
  readonly seen: ReadonlyMap<string, number>;
  readonly onOpen: (id: string) => void;
  readonly onCreated: (session: Session) => void;
}

interface Older {
  readonly sessions: readonly Session[];
  /** Null: there are no more. */
  readonly cursor: string | null;
}

/** Sessions that the card holds at most; others are found by their id. */
const MOST = 500;
const NONE: readonly Session[] = [];
/** Agents that are offered for a new one. */
const SUGGESTED = 6;

export function SessionsCard({ userId, list, open, seen, onOpen, onCreated }: SessionsCardProps) {
  const [creating, setCreating] = useState(false);
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

  const newest = dataOf(list)?.sessions ?? NONE;
  const turned = useRef<{ newest: readonly Session[]; passed: readonly Session[] }>({ newest, passed: NONE });
  if (turned.current.newest !== newest) {
    const { newest: before, passed } = turned.current;
    turned.current = { newest, passed: passedAfter(passed, before, newest, MOST) };
  }
  // Older pages go on behind a page that was the newest once: what has left it since stands between the two.
  const known = older === null ? newest : allOf(newest, allOf(turned.current.passed, older.sessions));
  return (
    <ResourceCard
      title="Sessions"
      resource={list}
      flush
      fill
      actions={
        <>
          <Button size="small" onPress={() => setCreating(true)}>
            New session
          </Button>
          {creating && (
            <CreateDialog
              userId={userId}
              agentIds={[...new Set(known.map(({ agent_id }) => agent_id))].slice(0, SUGGESTED)}
              onCancel={() => setCreating(false)}
              onCreated={(session) => {
                setCreating(false);
                onCreated(session);
              }}
            />
          )}
        </>
      }
      lines={5}
      empty={({ sessions, partial }) =>
        sessions.length === 0 && !partial ? `${userId} has no session yet.` : null
      }
    >
      {({ next_cursor, partial }) => {
        const cursor = older === null ? next_cursor : older.cursor;
        return (
          <>
            {partial && (
              <div class="p-3">
                <Notice tone="warn">The archive does not answer: older sessions may be missing.</Notice>
              </div>
            )}
            <ul class="min-h-0 flex-1 divide-y divide-line overflow-y-auto">
              {known.map((session) => (
                <SessionRow
                  key={session.id}
                  session={session}
                  open={session.id === open}
                  fresh={session.id === open ? 0 : newIn(session, seen)}
                  onOpen={onOpen}
                />
              ))}
            </ul>
            {cursor !== null && known.length < MOST && (
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
          "block w-full border-l-3 py-2 pr-4 pl-3.5 text-left -outline-offset-2 transition-colors",
          open ? "border-accent bg-accent-soft" : "border-transparent hover:bg-raised",
        )}
        onClick={() => onOpen(id)}
      >
        <span class="flex items-center gap-2">
          <span class="min-w-0 flex-1 truncate font-medium">{agent_id}</span>
          {fresh > 0 && <Badge tone="info">{fresh} new</Badge>}
          {status === "archived" && <Badge>archived</Badge>}
          <span class="min-w-16 text-right text-xs text-muted">
            <Age at={updated_at} />
          </span>
        </span>
        <span class="mt-0.5 flex items-center gap-2 text-xs text-muted">
          <span class="min-w-0 flex-1 truncate font-mono">{id}</span>
          <span class="tabular-nums">{countText(last_seq, "message")}</span>
        </span>
      </button>
    </li>
  );
}
