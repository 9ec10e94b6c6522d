/** @module Shapes of nodes: beside its colour a node has a shape, so that nobody has to tell colours apart. Pure. */

/** Corners around 0, 0, about as large as a circle of radius 1. */
export type Shape = readonly (readonly [x: number, y: number])[];

/** Corners at even angles, the first one `turn` of a whole turn after the right. */
function regular(corners: number, radius: number, turn: number): Shape {
  return Array.from({ length: corners }, (_, at) => {
    const angle = (at / corners + turn) * 2 * Math.PI;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

export const SQUARE = regular(4, 1.2, 1 / 8);

const ARM = 0.36;
const CROSS: Shape = [
  [ARM, -1.2],
  [ARM, -ARM],
  [1.2, -ARM],
  [1.2, ARM],
  [ARM, ARM],
  [ARM, 1.2],
  [-ARM, 1.2],
  [-ARM, ARM],
  [-1.2, ARM],
  [-1.2, -ARM],
  [-ARM, -ARM],
  [-ARM, -1.2],
];

/** Of a canvas's path, or of what Plot has in its place. */
export interface Pen {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  closePath(): void;
}

/** Their number and that of the colours have no common divisor: 63 nodes differ in one or the other. */
export const SHAPES: readonly Shape[] = [
  regular(24, 1, 0),
  regular(4, 1.3, 0),
  regular(3, 1.4, -1 / 4),
  SQUARE,
  regular(3, 1.4, 1 / 4),
  CROSS,
  regular(6, 1.1, 0),
];

/** What a mark of Plot draws; `size` is an area in square pixels. */
export function plotSymbol(shape: Shape): { draw(pen: Pen, size: number): void } {
  return {
    draw(pen, size) {
      const radius = Math.sqrt(size / Math.PI);
      for (const [at, [x, y]] of shape.entries()) {
        if (at === 0) pen.moveTo(x * radius, y * radius);
        else pen.lineTo(x * radius, y * radius);
      }
      pen.closePath();
    },
  };
}

/** The `d` of an SVG path of the shape. */
export function shapePath(shape: Shape, radius: number): string {
  return `M${shape.map(([x, y]) => `${digits(x * radius)},${digits(y * radius)}`).join("L")}Z`;
}

function digits(value: number): string {
  return String(Math.round(value * 100) / 100);
}
