/** @module Rows of the analytics file as the room knows them. Its own writer wrote them, so types are taken as they are. */
import type { SQLOutputValue } from "node:sqlite";
import type { ExperimentRow, MessageEventRow, SystemMetricRow, TopologySnapshotRow } from "../contract.ts";

type Raw = Record<string, SQLOutputValue>;

export function experimentRow(raw: Raw): ExperimentRow {
  return { ...raw, expected_nodes: JSON.parse(String(raw.expected_nodes)) } as unknown as ExperimentRow;
}

export function eventRow(raw: Raw): MessageEventRow {
  return { ...raw } as unknown as MessageEventRow;
}

export function metricRow(raw: Raw): SystemMetricRow {
  return { ...raw } as unknown as SystemMetricRow;
}

export function snapshotRow(raw: Raw): TopologySnapshotRow {
  return {
    ...raw,
    bootstrap_peers: JSON.parse(String(raw.bootstrap_peers)),
  } as unknown as TopologySnapshotRow;
}
