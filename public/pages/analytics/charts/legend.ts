/** @module The legend of a picture: where its entries stand, and which colours are meant. Pure. */
import type { Shape } from "./shapes.ts";

export interface LegendEntry {
  readonly text: string;
  /** A CSS colour. */
  readonly colour: string;
  readonly shape: Shape;
}

/** Pixels. */
export const MARGIN = 16;
/** From the begin of the shape to its text. */
export const SWATCH = 16;
/** Of a letter of 11 px, about: a file knows nothing of fonts. */
const LETTER = 6.5;

/** A value of an attribute with `var(--x)` replaced by what the page gives it. */
export function withValues(value: string, lookUp: (variable: string) => string): string {
  return value.replaceAll(/var\((--[\w-]+)\)/g, (whole, name: string) => lookUp(name).trim() || whole);
}

/** Where each entry of a legend stands, in rows that are not wider than `width`. Pixels. */
export function legendPlaces(
  legend: readonly LegendEntry[],
  width: number,
): {
  readonly places: readonly (LegendEntry & { readonly x: number; readonly row: number })[];
  readonly rows: number;
} {
  let [x, row] = [0, 0];
  const places = legend.map((entry) => {
    const own = SWATCH + entry.text.length * LETTER + MARGIN;
    if (x > 0 && x + own > width) [x, row] = [0, row + 1];
    const place = { ...entry, x, row };
    x += own;
    return place;
  });
  return { places, rows: legend.length === 0 ? 0 : row + 1 };
}
