/** @module How lines of nodes are drawn: one a node, in its colour, with what is pointed at. */
import { axisX, axisY, dot, gridY, line, type PlotOptions, pointer, ruleY, tip } from "@observablehq/plot";
import { msText } from "../../../data/wording.ts";
import type { Point } from "./lines.ts";

export interface Axes {
  readonly x: string;
  readonly y: string;
  /** `step-after` for a staircase. */
  readonly curve: "linear" | "step-after";
  /** Whether x counts something, so that there are no halves. */
  readonly whole: boolean;
  /** What x is at a point, e.g. `1200 ms after the first send`. */
  readonly at: (x: number) => string;
}

/** With more points the line alone is drawn. */
const DOTTED = 400;

export function linesOptions(
  points: readonly Point[],
  colours: ReadonlyMap<string, string>,
  { x, y, curve, whole, at }: Axes,
): PlotOptions {
  const own = { x: "x", y: "y", stroke: "node" } as const;
  return {
    marginTop: 24,
    marginLeft: 52,
    marginBottom: 36,
    x: { nice: true },
    y: { zero: true, nice: true },
    color: { type: "ordinal", domain: [...colours.keys()], range: [...colours.values()] },
    marks: [
      gridY({ stroke: "var(--line)", strokeOpacity: 1 }),
      axisX({ label: x, ticks: 8, ...(whole && { tickFormat: wholeText }) }),
      axisY({ label: y, ticks: 5 }),
      ruleY([0], { stroke: "var(--line-strong)" }),
      line(points, { ...own, z: "node", curve, strokeWidth: 1.75, strokeLinejoin: "round" }),
      // A line of one point cannot be seen.
      points.length <= DOTTED ? dot(points, { ...own, fill: "node", r: 2 }) : null,
      tip(
        points,
        pointer({
          ...own,
          stroke: "var(--line-strong)",
          fill: "var(--surface)",
          title: (point: Point) => `${point.node}\n${msText(point.y)}\n${at(point.x)}`,
        }),
      ),
    ],
  };
}

function wholeText(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString("en") : "";
}
