/** @module Lines of nodes: their points for the charts, and the colour that a node keeps. Pure. */
import type { Line } from "../../../../services/analytics/series.ts";

export interface Point {
  readonly node: string;
  readonly x: number;
  readonly y: number;
}

/** Leader colours in `style.css`. */
const PALETTE = 9;

/** Names in order, so that a node has one colour in every chart of a run. */
export function nodesOf(...charts: readonly (readonly Line[])[]): readonly string[] {
  return [...new Set(charts.flatMap((lines) => lines.map(({ node_id }) => node_id)))].sort();
}

/** A CSS colour for each node, by its place. */
export function nodeColours(nodes: readonly string[]): ReadonlyMap<string, string> {
  return new Map(nodes.map((node, at) => [node, `var(--leader-${at % PALETTE})`]));
}

/** Every point of the lines, or of the isolated node's alone. */
export function pointsOf(lines: readonly Line[], isolated: string | null): readonly Point[] {
  return lines
    .filter(({ node_id }) => isolated === null || node_id === isolated)
    .flatMap(({ node_id: node, points }) => points.map(([x, y]) => ({ node, x, y })));
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
