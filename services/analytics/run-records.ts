/** @module All that is known of a run: one node's part of it, and the parts of several nodes as one. Pure. */
import { type EventColumns, mergeColumns } from "./columns.ts";
import type {
  ExperimentPart,
  ExperimentRow,
  MessageEventRow,
  SystemMetricRow,
  TopologySnapshotRow,
} from "./contract.ts";

/** What nodes recorded of a run. */
export interface RunRecords {
  readonly experiment: ExperimentRow | null;
  readonly events: EventColumns;
  /** The events one by one; null where only figures are asked for. */
  readonly rows: readonly MessageEventRow[] | null;
  readonly metrics: readonly SystemMetricRow[];
  readonly snapshots: readonly TopologySnapshotRow[];
}

/** One node's. */
export interface RunPart extends RunRecords {
  readonly node_id: string;
}

/**
 * The parts as one: events on the unique key, metrics and snapshots on (node, id). The order of the parts does not
 * matter.
 */
export function mergeParts(parts: readonly RunPart[]): RunRecords {
  const ordered = parts.toSorted((a, b) => (a.node_id < b.node_id ? -1 : 1));
  return {
    experiment: newestExperiment(ordered),
    events: mergeColumns(ordered),
    rows: ordered.some(({ rows }) => rows === null) ? null : mergeRows(ordered),
    metrics: mergeById(ordered.flatMap(({ metrics }) => metrics)),
    snapshots: mergeById(ordered.flatMap(({ snapshots }) => snapshots)),
  };
}

/** Of the last run under this id; of that its owner's own row, for others hear of its end later or never. */
export function newestExperiment(
  parts: readonly { readonly node_id: string; readonly experiment: ExperimentRow | null }[],
): ExperimentRow | null {
  const known = parts.flatMap(({ node_id, experiment }) => (experiment ? [{ node_id, experiment }] : []));
  const own = ({ node_id, experiment }: (typeof known)[number]) => Number(experiment.owner_node === node_id);
  const [best] = known.toSorted(
    (a, b) =>
      b.experiment.run_count - a.experiment.run_count ||
      b.experiment.started_at - a.experiment.started_at ||
      own(b) - own(a) ||
      (a.node_id < b.node_id ? -1 : 1),
  );
  return best?.experiment ?? null;
}

/** The event's own node is asked first, as for the columns. */
function mergeRows(parts: readonly RunPart[]): MessageEventRow[] {
  const once = new Map<string, { readonly row: MessageEventRow; readonly own: boolean }>();
  for (const { node_id, rows } of parts) {
    for (const row of rows ?? []) {
      const key = JSON.stringify([row.message_id, row.event_type, row.target_node]);
      const known = once.get(key);
      const own = row.originating_node === node_id;
      if (!known || (own && !known.own)) once.set(key, { row, own });
    }
  }
  return [...once.values()]
    .map(({ row }) => row)
    .sort((a, b) => a.event_timestamp - b.event_timestamp || (rowName(a) < rowName(b) ? -1 : 1));
}

const rowName = ({ message_id, event_type, target_node }: MessageEventRow) =>
  `${message_id}\n${event_type}\n${target_node ?? ""}`;

function mergeById<
  Row extends { readonly node_id: string; readonly id: number; readonly inserted_at: number },
>(rows: readonly Row[]): Row[] {
  const once = new Map(rows.map((row) => [JSON.stringify([row.node_id, row.id]), row]));
  return [...once.values()].sort(
    (a, b) => a.inserted_at - b.inserted_at || (a.node_id < b.node_id ? -1 : 1) || a.id - b.id,
  );
}

/** A run in the list of all runs. */
export interface ListedExperiment {
  readonly experiment_id: string;
  readonly experiment: ExperimentRow | null;
  readonly sends: number;
  readonly acks: number;
  /** Of its events, microseconds; null when there are none. */
  readonly first: number | null;
  readonly last: number | null;
}

/** The runs of several nodes as one list, the latest first. Of two copies of a node's records the fuller one counts. */
export function mergeExperiments(parts: readonly ExperimentPart[]): ListedExperiment[] {
  const listed = [...Map.groupBy(parts, ({ experiment_id }) => experiment_id)].map(
    ([experiment_id, held]) => {
      const origins = Map.groupBy(
        held.flatMap(({ counts }) => counts),
        ({ originating_node }) => originating_node,
      );
      const all = [...origins.values()].flat();
      const fullest = (count: (one: (typeof all)[number]) => number) =>
        [...origins.values()].reduce((sum, copies) => sum + Math.max(...copies.map(count)), 0);
      return {
        experiment_id,
        experiment: newestExperiment(held),
        sends: fullest(({ sends }) => sends),
        acks: fullest(({ acks }) => acks),
        first: all.length === 0 ? null : Math.min(...all.map(({ first }) => first)),
        last: all.length === 0 ? null : Math.max(...all.map(({ last }) => last)),
      };
    },
  );
  const began = ({ experiment, first }: ListedExperiment) => experiment?.started_at ?? first ?? 0;
  return listed.sort((a, b) => began(b) - began(a) || (a.experiment_id < b.experiment_id ? -1 : 1));
}
