/** @module Regions: which one a node is in by its id, what they are called and where they lie. */

export interface Region {
  readonly code: string;
  readonly name: string;
  /** Degrees, north and east positive. */
  readonly lat: number;
  readonly lng: number;
}

/** Code, name, latitude, longitude (contract corroport, section 9). */
const FLY_REGIONS: readonly (readonly [string, string, number, number])[] = [
  ["ams", "Amsterdam", 52, 5],
  ["iad", "Ashburn", 39, -77],
  ["atl", "Atlanta", 34, -84],
  ["bog", "Bogotá", 5, -74],
  ["bos", "Boston", 42, -71],
  ["otp", "Bucharest", 45, 26],
  ["ord", "Chicago", 42, -88],
  ["dfw", "Dallas", 33, -97],
  ["den", "Denver", 40, -105],
  ["eze", "Ezeiza", -35, -59],
  ["fra", "Frankfurt", 50, 9],
  ["gdl", "Guadalajara", 21, -103],
  ["hkg", "Hong Kong", 22, 114],
  ["jnb", "Johannesburg", -26, 28],
  ["lhr", "London", 51, 0],
  ["lax", "Los Angeles", 34, -118],
  ["mad", "Madrid", 40, -4],
  ["mia", "Miami", 26, -80],
  ["yul", "Montreal", 45, -74],
  ["bom", "Mumbai", 19, 73],
  ["cdg", "Paris", 49, 3],
  ["phx", "Phoenix", 33, -112],
  ["qro", "Querétaro", 21, -100],
  ["gig", "Rio de Janeiro", -23, -43],
  ["sjc", "San Jose", 37, -122],
  ["scl", "Santiago", -33, -71],
  ["gru", "Sao Paulo", -23, -46],
  ["sea", "Seattle", 47, -122],
  ["ewr", "Secaucus", 41, -74],
  ["sin", "Singapore", 1, 104],
  ["arn", "Stockholm", 60, 18],
  ["syd", "Sydney", -34, 151],
  ["nrt", "Tokyo", 36, 140],
  ["yyz", "Toronto", 44, -80],
  ["waw", "Warsaw", 52, 21],
];

/** Development nodes have a place each, so that a cluster on one machine shows on the map. */
const DEV_REGIONS: readonly (readonly [string, string, number, number])[] = [
  ["dev-node1", "Whitehorse", 60.7212, -135.0568],
  ["dev-node2", "Yellowknife", 62.454, -114.3718],
  ["dev-node3", "Iqaluit", 63.7467, -68.5207],
  ...[4, 5, 6, 7, 8, 9, 10].map((n) => [`dev-node${n}`, `Development node ${n}`, 60, 20 * n - 110] as const),
];

/** Every region that has a place on the map, by its code. */
export const REGIONS: ReadonlyMap<string, Region> = new Map(
  [...FLY_REGIONS, ...DEV_REGIONS].map(([code, name, lat, lng]) => [code, { code, name, lat, lng }]),
);

const DEV_CODES: ReadonlySet<string> = new Set(DEV_REGIONS.map(([code]) => code));

/**
 * The region of a node: a development node with a place on the map is its own, else it is what stands before the first
 * dash if that has 2 to 4 bytes. `unknown` when there is no such part, `invalid` for what is no text.
 */
export function regionOf(nodeId: unknown): string {
  if (typeof nodeId !== "string") return "invalid";
  if (DEV_CODES.has(nodeId)) return nodeId;
  const dash = nodeId.indexOf("-");
  const bytes = dash < 0 ? 0 : new TextEncoder().encode(nodeId.slice(0, dash)).length;
  return bytes >= 2 && bytes <= 4 ? nodeId.slice(0, dash) : "unknown";
}
