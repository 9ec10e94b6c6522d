/** @module What the agent counts for Prometheus, under Corrosion's names (contract corrosion, section 10). */
import { createServer } from "node:http";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { SocketAddress } from "./config.ts";
import type { StreamAnswer } from "./http/answer.ts";
import { listen } from "./http/server.ts";
import type { Committed } from "./replication.ts";
import { AGENT_NAME, FOLLOWS } from "./version.ts";

/** What is looked at when somebody asks. Rejects when it cannot be told. */
export interface Sources {
  /** Those that are not Down, self left out. */
  readonly members: () => number;
  readonly queuedChanges: () => number;
  /** Missing versions, buffered changes, bytes of the database, rows by table. */
  readonly database: () => Promise<{
    readonly gaps: number;
    readonly buffered: number;
    readonly bytes: number;
    readonly rows: ReadonlyMap<string, number>;
  }>;
}

const LAG_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

export class AgentMetrics {
  readonly #registry = new Registry();
  readonly #sources: Sources;
  readonly #gauges = {
    members: this.#gauge("corro_gossip_members", "Members that are not Down, self left out"),
    cluster: this.#gauge("corro_gossip_cluster_size", "Members that are not Down, self included"),
    queue: this.#gauge("corro_agent_changes_in_queue", "Received changes that wait to be applied"),
    gaps: this.#gauge("corro_db_gaps_sum", "Versions that are missing"),
    buffered: this.#gauge("corro_db_buffered_changes_v2_total", "Changes of versions that are not whole"),
    bytes: this.#gauge("corro_db_size", "Bytes of the database"),
    rows: this.#gauge("corro_db_table_rows_total", "Rows", ["table"]),
    streams: this.#gauge("corro_api_active_streams", "Open streams", ["source", "protocol"]),
  };
  readonly #received = this.#counter("corro_agent_changes_recv", "Changes that arrived");
  readonly #syncReceived = this.#counter(
    "corro_sync_changes_recv",
    "Changes that were asked for and arrived",
  );
  readonly #syncSent = this.#counter("corro_sync_changes_sent", "Changes sent to those who asked");
  readonly #queries = this.#counter("corro_api_queries_count", "Queries");
  readonly #committed = this.#counter("corro_changes_committed", "Changed rows that were committed", [
    "table",
    "source",
  ]);
  readonly #lag = new Histogram({
    name: "corro_agent_changes_commit_lag_seconds",
    help: "From a remote commit to its being merged here",
    buckets: LAG_SECONDS,
    registers: [this.#registry],
  });

  constructor(sources: Sources) {
    this.#sources = sources;
    const build = this.#gauge("corro_build_info", "What runs", ["version", "agent"]);
    build.set({ version: FOLLOWS, agent: AGENT_NAME }, 1);
  }

  committed({ local, touched }: Committed): void {
    const source = local ? "local" : "remote";
    for (const { table } of touched) this.#committed.inc({ table, source });
  }

  stream(source: StreamAnswer["source"], by: 1 | -1): void {
    this.#gauges.streams.inc({ source, protocol: "http" }, by);
  }

  queried(): void {
    this.#queries.inc();
  }

  merged(lagSeconds: number): void {
    this.#lag.observe(lagSeconds);
  }

  received(via: "push" | "sync", changes: number): void {
    this.#received.inc(changes);
    if (via === "sync") this.#syncReceived.inc(changes);
  }

  sent(via: "push" | "sync", changes: number): void {
    if (via === "sync") this.#syncSent.inc(changes);
  }

  /** The exposition text. Rejects when the database does not answer. */
  async text(): Promise<string> {
    const members = this.#sources.members();
    const { gaps, buffered, bytes, rows } = await this.#sources.database();
    this.#gauges.members.set(members);
    this.#gauges.cluster.set(members + 1);
    this.#gauges.queue.set(this.#sources.queuedChanges());
    this.#gauges.gaps.set(gaps);
    this.#gauges.buffered.set(buffered);
    this.#gauges.bytes.set(bytes);
    this.#gauges.rows.reset();
    for (const [table, count] of rows) this.#gauges.rows.set({ table }, count);
    return this.#registry.metrics();
  }

  #gauge(name: string, help: string, labels: readonly string[] = []): Gauge {
    return new Gauge({ name, help, labelNames: [...labels], registers: [this.#registry] });
  }

  #counter(name: string, help: string, labels: readonly string[] = []): Counter {
    return new Counter({ name, help, labelNames: [...labels], registers: [this.#registry] });
  }
}

/** Answers every GET with the metrics. Throws `CannotListen`. */
export async function serveMetrics(addr: SocketAddress, metrics: AgentMetrics): Promise<() => Promise<void>> {
  const server = createServer((_request, response) => {
    metrics.text().then(
      (text) => response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(text),
      (error: unknown) => response.writeHead(500).end(`${String(error)}\n`),
    );
  });
  await listen(server, addr);
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}
