/** @module How lines of nodes are drawn: one a node, in its colour and with its shape, with what is pointed at. */
import { axisX, axisY, dot, gridY, line, type PlotOptions, pointer, ruleY, tip } from "@observablehq/plot";
import type { Line } from "../../../../services/analytics/series.ts";
import { msText } from "../../../data/wording.ts";
import { marksOf, type NodeLooks, type Point, pointsOf } from "./lines.ts";
import { plotSymbol } from "./shapes.ts";

export interface Axes {
  readonly x: string;
  readonly y: string;
  /** `step-after` for a staircase. */
  readonly curve: "linear" | "step-after";
  /** Whether x counts messages, so that it begins at 1 and has no halves; else it begins at 0. */
  readonly whole: boolean;
  /** What x is at a point, e.g. `1200 ms after the first send`. */
  readonly at: (x: number) => string;
}

const Y_TICKS = 5;
/** Pixels from one number at the x axis to the next, at least. */
const X_SPACING = 64;

export function linesOptions(
  lines: readonly Line[],
  isolated: string | null,
  looks: NodeLooks,
  { x, y, curve, whole, at }: Axes,
): PlotOptions {
  const points = pointsOf(lines, isolated);
  const own = { x: "x", y: "y", stroke: "node" } as const;
  // Of all lines, so that nothing moves when one is left alone.
  const last = Math.max(1, ...lines.flatMap((one) => one.points.map(([place]) => place)));
  const highest = Math.max(1, ...lines.flatMap((one) => one.points.map(([, height]) => height)));
  return {
    marginTop: 26,
    marginLeft: 56,
    marginBottom: 40,
    x: whole ? { domain: [1, last] } : { domain: [0, last], nice: true },
    y: { domain: [0, highest], nice: Y_TICKS },
    color: {
      type: "ordinal",
      domain: [...looks.keys()],
      range: [...looks.values()].map(({ colour }) => colour),
    },
    symbol: { domain: [...looks.keys()], range: [...looks.values()].map(({ shape }) => plotSymbol(shape)) },
    marks: [
      gridY({ ticks: Y_TICKS, stroke: "var(--line)", strokeOpacity: 1 }),
      axisX({ label: x, ...(whole ? { ticks: wholeTicks(last) } : { tickSpacing: X_SPACING }) }),
      axisY({ label: y, ticks: Y_TICKS }),
      ruleY([0], { stroke: "var(--line-strong)" }),
      line(points, { ...own, z: "node", curve, strokeWidth: 1.75, strokeLinejoin: "round" }),
      dot(marksOf(lines, isolated), {
        x: "x",
        y: "y",
        fill: "node",
        symbol: "node",
        r: 3.5,
        stroke: "var(--surface)",
        strokeWidth: 0.75,
      }),
      tip(
        points,
        pointer({
          ...own,
          stroke: "var(--line-strong)",
          fill: "var(--surface)",
          lineHeight: 1.3,
          title: (point: Point) => `${point.node}\n${msText(point.y)}\n${at(point.x)}`,
        }),
      ),
    ],
  };
}

/** How many numbers from 1 to `last` an axis has room for, and never so many that there would be halves. */
export function wholeTicks(last: number): number {
  return Math.max(1, Math.min(last < 100 ? 8 : 5, last - 1));
}
