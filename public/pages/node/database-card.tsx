/** @module The agent's database: what it says of itself, its tables with their rows, and their schema. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { NodeFacts, QueryResult } from "../../../services/corrosion/contract.ts";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { Card, Skeleton } from "../../components/card.tsx";
import { Fact, Facts } from "../../components/facts.tsx";
import { Notice } from "../../components/notice.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { api } from "../../data/api.ts";
import { sentenceOf } from "../../data/api-error.ts";
import { consoleToken } from "../../data/token.ts";
import {
  type DatabaseInfo,
  databaseInfoOf,
  SCHEMA_SQL,
  type SchemaEntry,
  schemaOf,
} from "./database-tables.ts";

/** A query has 10 s, and is then written down. */
const TIMEOUT_MS = 25_000;
const MAX_ENTRIES = 1000;

type Loaded<T> =
  | { readonly kind: "not asked" }
  | { readonly kind: "loading" }
  | { readonly kind: "ok"; readonly data: T }
  | { readonly kind: "failed"; readonly why: string };

/** Nor is it known yet whether it may be asked. */
const LOADING = { kind: "loading" } as const;

export interface DatabaseCardProps {
  /** Null: not known yet. */
  readonly facts: NodeFacts | null;
}

export function DatabaseCard({ facts }: DatabaseCardProps) {
  const info = useConsole({ preset: "database_info", mode: "read" }, databaseInfoOf);
  const schema = useConsole({ sql: SCHEMA_SQL, mode: "read", limit: MAX_ENTRIES }, schemaOf);
  // Whoever only looks at the page is not asked for a token.
  const free = facts !== null && (!facts.variables.CONSOLE_TOKEN || consoleToken() !== null);
  const state = facts?.agent?.state;
  const answers = state === "running" || state === "external";
  const { load } = info;
  // Asked when it is known that it may be, and again when the agent comes back; what was known stays while it is away.
  useEffect(() => {
    if (free && (answers || info.state.kind === "not asked")) void load();
  }, [free, answers]);
  const again = info.state.kind === "not asked" && facts !== null ? "Load" : "Refresh";
  return (
    <Card
      title="Database"
      flush
      note={info.state.kind === "ok" && <Badge>{info.state.data.tables.length}</Badge>}
      actions={
        <>
          <Button size="small" onPress={schema.load}>
            {schema.state.kind === "ok" ? "Refresh schema" : "Show schema"}
          </Button>
          <Button size="small" label={`${again} database`} onPress={load}>
            {again}
          </Button>
        </>
      }
    >
      <Part loaded={facts === null ? LOADING : info.state} retry={load}>
        {(data) => <Info info={data} />}
      </Part>
      {schema.state.kind !== "not asked" && (
        <div class="border-t border-line">
          <Part loaded={schema.state} retry={schema.load}>
            {(entries) => <Schema entries={entries} />}
          </Part>
        </div>
      )}
    </Card>
  );
}

function useConsole<T>(body: object, read: (result: QueryResult) => T) {
  const [state, setState] = useState<Loaded<T>>({ kind: "not asked" });
  async function load(): Promise<void> {
    // What was there stays until there is something newer.
    setState((before) => (before.kind === "ok" ? before : { kind: "loading" }));
    try {
      const options = { method: "POST", body, timeoutMs: TIMEOUT_MS } as const;
      setState({ kind: "ok", data: read(await api<QueryResult>("/api/console/run", options)) });
    } catch (error) {
      setState({ kind: "failed", why: sentenceOf(error) });
    }
  }
  return { state, load };
}

interface PartProps<T> {
  readonly loaded: Loaded<T>;
  readonly retry: () => Promise<void>;
  readonly children: (data: T) => ComponentChildren;
}

function Part<T>({ loaded, retry, children }: PartProps<T>) {
  switch (loaded.kind) {
    case "not asked":
      return (
        <p class="p-4 text-muted">This asks the agent, for which the node may want its token: load it.</p>
      );
    case "loading":
      return (
        <div class="p-4">
          <Skeleton lines={5} />
        </div>
      );
    case "failed":
      return (
        <div class="p-4">
          <Notice
            tone="bad"
            action={
              <Button size="small" onPress={retry}>
                Retry
              </Button>
            }
          >
            {loaded.why}
          </Notice>
        </div>
      );
    case "ok":
      return <>{children(loaded.data)}</>;
  }
}

const COLUMNS: readonly Column<DatabaseInfo["tables"][number]>[] = [
  { key: "table", title: "Table", cell: ({ name }) => <span class="font-mono text-xs">{name}</span> },
  { key: "rows", title: "Rows", align: "right", cell: ({ rows }) => rows.toLocaleString("en") },
];

function Info({ info: { facts, tables } }: { readonly info: DatabaseInfo }) {
  return (
    <>
      <div class={facts.length === 0 ? "pt-4" : "p-4"}>
        <Facts>
          {facts.map(([name, value]) => (
            <Fact key={name} name={name}>
              <span class="font-mono text-xs font-normal break-all">{value}</span>
            </Fact>
          ))}
        </Facts>
      </div>
      {tables.length === 0 ? (
        <p class="px-4 pb-4 text-muted">The agent's schema has no tables.</p>
      ) : (
        <Table label="Tables" columns={COLUMNS} rows={tables} rowKey={({ name }) => name} />
      )}
    </>
  );
}

const SCHEMA_COLUMNS: readonly Column<SchemaEntry>[] = [
  { key: "type", title: "Type", cell: ({ type }) => <Badge>{type}</Badge> },
  { key: "name", title: "Name", cell: ({ name }) => <span class="font-mono text-xs">{name}</span> },
  {
    key: "sql",
    title: "SQL",
    cell: ({ sql }) => (
      <code class="block max-w-xl truncate text-xs" title={sql}>
        {sql.replaceAll(/\s+/g, " ")}
      </code>
    ),
  },
];

function Schema({ entries }: { readonly entries: readonly SchemaEntry[] }) {
  if (entries.length === 0) return <p class="p-4 text-muted">The database has no schema.</p>;
  return (
    <Table
      label="Schema"
      columns={SCHEMA_COLUMNS}
      rows={entries}
      rowKey={({ type, name }) => `${type} ${name}`}
      maxHeight="max-h-96"
    />
  );
}
