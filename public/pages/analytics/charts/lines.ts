/** @module Lines of nodes: their points for the charts, and the colour and shape that a node keeps. Pure. */

import type { ExperimentJson } from "../../../../services/analytics/bodies.ts";
import type { Line, NodePerformance } from "../../../../services/analytics/series.ts";
import { SHAPES, type Shape } from "./shapes.ts";

export interface Point {
  readonly node: string;
  readonly x: number;
  readonly y: number;
}

/** How a node looks in every chart and table of a run. */
export interface NodeLook {
  /** A CSS colour. */
  readonly colour: string;
  readonly shape: Shape;
}

export type NodeLooks = ReadonlyMap<string, NodeLook>;

/** Leader colours in `style.css`. */
const PALETTE = 9;
/** Of a line: more of them hide it. */
const MOST_MARKS = 40;

/** A look for each node, by its place in the order of names, so that it is the same in all runs of the same nodes. */
export function nodeLooks(nodes: Iterable<string>): NodeLooks {
  return new Map(
    [...new Set(nodes)]
      .sort()
      .map((node, at) => [
        node,
        { colour: `var(--leader-${at % PALETTE})`, shape: SHAPES[at % SHAPES.length]! },
      ]),
  );
}

/** Who was there at the start and has to acknowledge what the owner sends; nobody while the run is not known. */
export function owing(run: Pick<ExperimentJson, "expected_nodes" | "owner_node"> | null): readonly string[] {
  return run === null ? [] : run.expected_nodes.filter((node) => node !== run.owner_node);
}

/** Nodes that should have a line, and have none. */
export function silentOf(expected: readonly string[], lines: readonly Line[]): readonly string[] {
  return expected.filter((node) => !lines.some(({ node_id }) => node_id === node)).sort();
}

/** The figures of each node, in the order of names; of one that owes and told nothing, that it told nothing. */
export function withSilent(
  rows: readonly NodePerformance[],
  expected: readonly string[],
): readonly NodePerformance[] {
  const none = {
    ack_count: 0,
    min_ms: null,
    avg_ms: null,
    max_ms: null,
    p50_ms: null,
    p95_ms: null,
    p99_ms: null,
  };
  const silent = expected.filter((node) => !rows.some(({ node_id }) => node_id === node));
  return [...rows, ...silent.map((node_id) => ({ node_id, ...none }))].sort((a, b) =>
    a.node_id < b.node_id ? -1 : 1,
  );
}

/** Every point of the lines, or of the isolated node's alone. */
export function pointsOf(lines: readonly Line[], isolated: string | null): readonly Point[] {
  return linesShown(lines, isolated).flatMap(({ node_id: node, points }) =>
    points.map(([x, y]) => ({ node, x, y })),
  );
}

/** Points that get their node's shape: all of a short line, some of a long one, its last one always. */
export function marksOf(lines: readonly Line[], isolated: string | null): readonly Point[] {
  return linesShown(lines, isolated).flatMap(({ node_id: node, points }) => {
    const step = Math.ceil(points.length / MOST_MARKS);
    return points.filter((_, at) => (points.length - 1 - at) % step === 0).map(([x, y]) => ({ node, x, y }));
  });
}

function linesShown(lines: readonly Line[], isolated: string | null): readonly Line[] {
  return lines.filter(({ node_id }) => isolated === null || node_id === isolated);
}

/** How many points the node left out of these lines, so that a chart says so. */
export function leftOut(lines: readonly Line[]): number {
  return lines.reduce((sum, { point_count, points }) => sum + Math.max(0, point_count - points.length), 0);
}

/** What is isolated after a click on a node; on the isolated one: all again. */
export function isolatedAfter(isolated: string | null, clicked: string): string | null {
  return isolated === clicked ? null : clicked;
}

/** Whether what a chart says was pointed at is one of these points. */
export function isPoint(value: unknown): value is Point {
  return typeof value === "object" && value !== null && "node" in value && typeof value.node === "string";
}
