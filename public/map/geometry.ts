/** @module Where things are on the map: 800 × 391 equirectangular, of which y 10 to 330 is shown (contract corroport, 9). */
import { REGIONS, type Region, regionOf } from "../../lib/regions.ts";

export const WIDTH = 800;
export const HEIGHT = 391;
export const VIEW_BOX = "0 10 800 320";
/** Nodes of one region stand on a circle of this radius around it. */
export const FAN_RADIUS = 8;

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Degrees, north and east positive. */
export function project({ lat, lng }: { readonly lat: number; readonly lng: number }): Point {
  return { x: ((lng + 180) / 360) * WIDTH, y: (1 - (lat + 90) / 180) * HEIGHT };
}

/** Places of `count` nodes around a centre: one stands on it, more stand around it, the first at the top. */
export function fanOut(centre: Point, count: number): readonly Point[] {
  if (count === 1) return [centre];
  return Array.from({ length: count }, (_, i) => {
    const angle = (2 * Math.PI * i) / count - Math.PI / 2;
    return { x: centre.x + FAN_RADIUS * Math.cos(angle), y: centre.y + FAN_RADIUS * Math.sin(angle) };
  });
}

export interface Placed {
  readonly nodeId: string;
  readonly region: Region;
  readonly at: Point;
}

export interface Layout {
  readonly placed: readonly Placed[];
  /** Nodes whose region is on no map, with what it is called. */
  readonly unplaced: readonly { readonly nodeId: string; readonly region: string }[];
}

/** One place a node, the same whatever order they come in; a node that is named twice has one. */
export function layOut(nodes: readonly { readonly nodeId: string; readonly region?: string }[]): Layout {
  const regions = new Map<string, Set<string>>();
  for (const { nodeId, region } of nodes) {
    const code = region ?? regionOf(nodeId);
    regions.set(code, (regions.get(code) ?? new Set()).add(nodeId));
  }
  const placed: Placed[] = [];
  const unplaced: { nodeId: string; region: string }[] = [];
  for (const [code, ids] of [...regions].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const region = REGIONS.get(code);
    const sorted = [...ids].sort();
    if (region === undefined) unplaced.push(...sorted.map((nodeId) => ({ nodeId, region: code })));
    else {
      const places = fanOut(project(region), sorted.length);
      placed.push(...sorted.map((nodeId, i) => ({ nodeId, region, at: places[i]! })));
    }
  }
  return { placed, unplaced };
}
