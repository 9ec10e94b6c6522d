/** @module What programs ask of a node over HTTP. */
import type { ComponentChildren } from "preact";
import { Card } from "../../components/card.tsx";
import { type Column, Table } from "../../components/table.tsx";

interface Route {
  readonly method: "GET" | "POST" | "DELETE" | "WS";
  readonly path: string;
  readonly takes: string;
  readonly answers: string;
}

const ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/api/sessions",
    takes: "user_id, agent_id, metadata?, id?",
    answers: "201 session; 200 when the id was there with the same participants",
  },
  {
    method: "GET",
    path: "/api/sessions",
    takes: "?user_id=, status, limit, cursor",
    answers: "200 sessions, newest first; next_cursor, partial",
  },
  { method: "GET", path: "/api/sessions/:id", takes: "", answers: "200 session" },
  {
    method: "DELETE",
    path: "/api/sessions/:id",
    takes: "",
    answers: "204; the session is archived, and takes no more messages",
  },
  {
    method: "POST",
    path: "/api/sessions/:id/read",
    takes: "user_id, last_seq?",
    answers: "200 session, and cursor with the unread count",
  },
  {
    method: "GET",
    path: "/api/sessions/:id/messages",
    takes: "?after_seq= with limit, or tail",
    answers: "200 messages, ascending; last_seq, has_more",
  },
  {
    method: "POST",
    path: "/api/sessions/:id/messages",
    takes: "user_id or agent_id, content, kind?, metadata?, idempotency_key?, expected_seq?",
    answers: "200 message once it is on disk; deduped",
  },
  {
    method: "WS",
    path: "/socket/websocket",
    takes: "?vsn=2.0.0, user_id or agent_id",
    answers: "Phoenix channels: session:<id>",
  },
];

const COLUMNS: readonly Column<Route>[] = [
  {
    key: "route",
    title: "Route",
    cell: ({ method, path }) => (
      <code class="font-mono text-xs">
        <b>{method}</b> {path}
      </code>
    ),
  },
  {
    key: "takes",
    title: "Takes",
    class: "min-w-48 whitespace-normal",
    cell: ({ takes }) => <code class="font-mono text-xs">{takes}</code>,
  },
  {
    key: "answers",
    title: "Answers",
    class: "min-w-48 whitespace-normal",
    cell: ({ answers }) => <span class="text-xs">{answers}</span>,
  },
];

export function ApiCard() {
  return (
    <Card title="HTTP API" flush>
      <Table
        label="Routes of the HTTP API"
        columns={COLUMNS}
        rows={ROUTES}
        rowKey={({ method, path }) => `${method} ${path}`}
      />
      <div class="space-y-2 px-4 py-3 text-xs text-muted">
        <p>
          Errors are <code class="font-mono">{'{"error": text, "code": code}'}</code>; every 429 and 503 says
          when to retry. An append with an <code class="font-mono">idempotency_key</code> may be repeated
          after any failure, and is stored once.
        </p>
        <p class="flex flex-wrap gap-x-4 gap-y-1">
          <NodeUrl path="/health/live">the process answers</NodeUrl>
          <NodeUrl path="/health/ready">it takes traffic</NodeUrl>
          <NodeUrl path="/metrics">for Prometheus</NodeUrl>
          <NodeUrl path="/api/fleet/status">the fleet as JSON</NodeUrl>
        </p>
      </div>
    </Card>
  );
}

function NodeUrl({ path, children }: { readonly path: string; readonly children: ComponentChildren }) {
  return (
    <span>
      <a class="font-mono text-accent underline-offset-2 hover:underline" href={path}>
        {path}
      </a>{" "}
      {children}
    </span>
  );
}
