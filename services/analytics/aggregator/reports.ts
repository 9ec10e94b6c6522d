/** @module Reports of experiments: what every node recorded, put together on the node that is asked. */
import { Readable } from "node:stream";
import type { ServiceBroker } from "moleculer";
import { isoMicros, systemClock } from "../../../lib/clock.ts";
import { regionOf } from "../../../lib/regions.ts";
import type { ComparedExperiment, Comparison, ExperimentList, ListEntry, ReportBodies } from "../bodies.ts";
import type {
  AggregationStatus,
  CurrentRun,
  ExperimentPart,
  PartChunk,
  Reported,
  ReportKind,
  Scope,
} from "../contract.ts";
import { comparisonCsv, comparisonOf } from "../export/comparison.ts";
import { comparisonFile, type ExportFile, type ExportStream } from "../export/file.ts";
import { mergeEvents } from "../export/merge-events.ts";
import { withRawEvents } from "../export/raw-events.ts";
import { gatherPart } from "../parts.ts";
import { experimentJson } from "../reports.ts";
import { checkRunId } from "../run-id.ts";
import { type ListedExperiment, mergeExperiments, newestExperiment } from "../run-records.ts";
import type { ReportCache } from "./cache.ts";
import { type Answers, analyticsNodes, askAll, type KnownNode, NodeCalls } from "./nodes.ts";
import { type CompareRequest, comparedIds, type ExportRequest, type GetRequest } from "./requests.ts";

/** One message of the bus, for which a store packs its records first. */
const PART_MS = 10_000;
/** Reading and putting together as many events as a run can have. */
const REPORT_MS = 25_000;

/** Which nodes are in a report, and which are not though they should. */
type Coverage = Pick<Reported, "nodes_reporting" | "nodes_missing">;

interface Gathered extends Coverage {
  /** Of the other nodes: this one's own store reads its records itself. */
  readonly parts: readonly Uint8Array[];
}

/** Nodes that should be in a file and are not. */
type Incomplete<File> = File & Pick<Coverage, "nodes_missing">;

export class Reports {
  readonly #broker: ServiceBroker;
  readonly #cache: ReportCache;

  constructor(broker: ServiceBroker, cache: ReportCache) {
    this.#broker = broker;
    this.#cache = cache;
  }

  /** The run that the node is in, as `status` shows it. */
  running(current: CurrentRun | null): AggregationStatus["experiment"] {
    return current && { ...experimentJson(current.run), role: current.role };
  }

  /** Throws `invalid_request`, and `store_unavailable` when this node's own store cannot be used. */
  async get({ experiment_id, kind, scope }: GetRequest): Promise<ReportBodies[ReportKind] & Reported> {
    const id = checkRunId(experiment_id);
    return this.#cache.get({ experiment: id, kind, scope }, async () => {
      const gathered = await this.#gather(id, scope, kind === "events");
      const body = await this.#own<ReportBodies[ReportKind]>("query", {
        experiment_id: id,
        kind,
        parts: gathered.parts,
      });
      return { ...body, ...this.#reported(id, gathered) };
    });
  }

  /** `{experiments, count}`, the latest first. */
  async list(scope: Scope): Promise<ExperimentList> {
    return this.#cache.get({ experiment: null, kind: "list", scope }, async () => {
      const { answers, missing, reporting } = await askAll(this.#broker, this.#nodes(scope), (node) =>
        node.experiments(),
      );
      const experiments = mergeExperiments(answers.flatMap(({ value }) => value)).map(listEntry);
      return {
        experiments,
        count: experiments.length,
        nodes_reporting: reporting,
        nodes_missing: missing,
      };
    });
  }

  /**
   * The whole experiment as a file. With raw events its text is a stream, which asks the nodes as fast as it is read,
   * and fails when one of them does not answer any more. Throws as `get` does.
   */
  async export({
    experiment_id,
    format,
    include_raw_events,
    include_system_metrics,
    scope,
  }: ExportRequest): Promise<Incomplete<ExportFile | ExportStream>> {
    const id = checkRunId(experiment_id);
    const gathered = await this.#gather(id, scope, false);
    const { nodes_missing, nodes_reporting } = gathered;
    const query = { experiment_id: id, format, include_system_metrics, ...gathered };
    const file = { ...(await this.#own<ExportFile>("export", query)), nodes_missing };
    if (!include_raw_events) return file;
    const events = mergeEvents(
      nodes_reporting.map((node_id) => {
        const node = new NodeCalls(this.#broker, node_id);
        return { node_id, page: (after) => node.events(id, after) };
      }),
    );
    const text = Readable.from(withRawEvents(format, file.text, events), { objectMode: false });
    text.on("error", (error) =>
      this.#broker.logger.warn("an export broke off", { experiment: id, error: String(error) }),
    );
    return { ...file, text };
  }

  /** The experiments beside each other: a body, or with `csv` a file. Throws as `get` does. */
  async compare({
    format,
    ids,
    scope,
  }: CompareRequest): Promise<(Comparison & Coverage) | Incomplete<ExportFile>> {
    const compared: ComparedExperiment[] = [];
    const coverages: Coverage[] = [];
    // One after the other: each may be as large as a run can be.
    for (const id of comparedIds(ids)) {
      const { parts, ...coverage } = await this.#gather(id, scope, false);
      compared.push(await this.#own<ComparedExperiment>("compared", { experiment_id: id, parts }));
      coverages.push(coverage);
    }
    const coverage = ofAll(coverages);
    if (format === "csv") {
      const { nodes_missing } = coverage;
      return { ...comparisonFile("csv", comparisonCsv(compared)), nodes_missing };
    }
    const exporter = {
      node_id: this.#broker.nodeID,
      region: regionOf(this.#broker.nodeID),
      at: systemClock(),
    };
    return { ...comparisonOf(compared, exporter), ...coverage };
  }

  /** Makes the summary anew, so that pages find it; returns how many nodes are in it. */
  async collect(id: string): Promise<number> {
    this.#cache.forget(id);
    const request = { experiment_id: id, kind: "summary", scope: "cluster" } as const;
    return (await this.get(request)).nodes_reporting.length;
  }

  #nodes(scope: Scope): readonly KnownNode[] {
    return scope === "local" ? [{ id: this.#broker.nodeID, available: true }] : analyticsNodes(this.#broker);
  }

  #own<T>(action: string, params: object): Promise<T> {
    const options = { nodeID: this.#broker.nodeID, timeout: REPORT_MS };
    return this.#broker.call<T, object>(`analytics.store.${action}`, params, options);
  }

  /** Packed parts of the others that answer. Who was there at the start and is not known any more is missing, too. */
  async #gather(id: string, scope: Scope, rows: boolean): Promise<Gathered> {
    const nodes = this.#nodes(scope);
    const own = this.#broker.nodeID;
    const others = nodes.filter((node) => node.id !== own);
    const [parts, known] = await Promise.all([
      askAll(this.#broker, others, ({ id: nodeID }) =>
        gatherPart(
          (action, params) =>
            this.#broker.call<PartChunk, object>(action, params, { nodeID, timeout: PART_MS }),
          id,
          rows,
        ),
      ),
      askAll(this.#broker, nodes, (node) => node.experiments(id)),
    ]);
    // Without this node's own records there is no report at all.
    const reporting = [own, ...parts.reporting].sort();
    return {
      parts: parts.answers.map(({ value }) => value),
      ...coverage({ missing: parts.missing, reporting }, known, scope),
    };
  }

  #reported(experiment_id: string, { nodes_missing, nodes_reporting }: Coverage): Reported {
    return {
      node_id: this.#broker.nodeID,
      timestamp: isoMicros(systemClock()),
      experiment_id,
      nodes_reporting,
      nodes_missing,
    };
  }
}

function coverage(
  { missing, reporting }: Pick<Answers<unknown>, "missing" | "reporting">,
  known: Answers<ExperimentPart[]>,
  scope: Scope,
): Coverage {
  const rows = known.answers.flatMap(({ value }) => value);
  const expected = scope === "local" ? [] : (newestExperiment(rows)?.expected_nodes ?? []);
  const away = expected.filter((id) => !reporting.includes(id));
  return { nodes_reporting: reporting, nodes_missing: [...new Set([...missing, ...away])].sort() };
}

/** A node that was missing once is missing in the whole. */
function ofAll(coverages: readonly Coverage[]): Coverage {
  const missing = new Set(coverages.flatMap(({ nodes_missing }) => nodes_missing));
  const reporting = new Set(coverages.flatMap(({ nodes_reporting }) => nodes_reporting));
  return {
    nodes_reporting: [...reporting].filter((id) => !missing.has(id)).sort(),
    nodes_missing: [...missing].sort(),
  };
}

function listEntry({ acks, experiment, experiment_id, first, last, sends }: ListedExperiment): ListEntry {
  const row = experiment && experimentJson(experiment);
  return {
    experiment_id,
    message_count: sends + acks,
    send_count: sends,
    ack_count: acks,
    time_range: first === null || last === null ? null : { start: isoMicros(first), end: isoMicros(last) },
    status: row?.status ?? null,
    transport: row?.transport ?? null,
    started_at: row?.started_at ?? null,
    ended_at: row?.ended_at ?? null,
    run_count: row?.run_count ?? null,
  };
}
