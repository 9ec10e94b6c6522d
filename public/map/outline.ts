/** @module The outline of the land, from Natural Earth (public domain) by way of world-atlas. */
import { geoPath, geoProjection } from "d3-geo";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import atlas from "world-atlas/land-110m.json";
import { HEIGHT, WIDTH } from "./geometry.ts";

/** The same projection as `project` of geometry.ts, and cut at the date line. */
const projection = geoProjection((lambda, phi) => [lambda, (phi * 2 * HEIGHT) / WIDTH])
  .scale(WIDTH / (2 * Math.PI))
  .translate([WIDTH / 2, HEIGHT / 2])
  .precision(0);

function draw(): string {
  // What the package's own documentation says that the file is.
  const topology = atlas as unknown as Topology<{ land: GeometryCollection }>;
  return geoPath(projection).digits(1)(feature(topology, topology.objects.land)) ?? "";
}

/** The `d` of an SVG path. */
export const LAND = draw();
