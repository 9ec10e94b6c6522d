/** @module The map's geometry and markers. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { REGIONS } from "../../lib/regions.ts";
import { FAN_RADIUS, fanOut, HEIGHT, layOut, project, VIEW_BOX, WIDTH } from "../../public/map/geometry.ts";
import { describeMarker, layersOf, MARKERS, type MarkerKind } from "../../public/map/markers.ts";
import { isActive, mapNodesOf } from "../../public/pages/cluster/map-nodes.ts";

describe("The map's geometry", () => {
  it("is equirectangular: corners, centre and known places stand where the contract's formulas put them", () => {
    assert.deepEqual(project({ lat: 90, lng: -180 }), { x: 0, y: 0 });
    assert.deepEqual(project({ lat: -90, lng: 180 }), { x: WIDTH, y: HEIGHT });
    assert.deepEqual(project({ lat: 0, lng: 0 }), { x: 400, y: 195.5 });
    const { x, y } = project({ lat: 52, lng: 5 });
    assert.ok(Math.abs(x - 411.111) < 0.001);
    assert.ok(Math.abs(y - 82.544) < 0.001);
  });

  it("shows every region inside its view box", () => {
    const [left, top, width, height] = VIEW_BOX.split(" ").map(Number) as [number, number, number, number];
    for (const region of REGIONS.values()) {
      const { x, y } = project(region);
      const reach = FAN_RADIUS + 6;
      assert.ok(x - reach >= left && x + reach <= left + width, region.code);
      assert.ok(y - reach >= top && y + reach <= top + height, region.code);
    }
  });

  it("puts one node on its region, and more on a circle of 8 around it, at equal distances", () => {
    const centre = { x: 100, y: 50 };
    assert.deepEqual(fanOut(centre, 1), [centre]);
    for (const count of [2, 3, 7]) {
      const places = fanOut(centre, count);
      assert.equal(places.length, count);
      const chord = 2 * FAN_RADIUS * Math.sin(Math.PI / count);
      for (const [i, { x, y }] of places.entries()) {
        assert.ok(Math.abs(Math.hypot(x - centre.x, y - centre.y) - 8) < 1e-9);
        const next = places[(i + 1) % count]!;
        assert.ok(Math.abs(Math.hypot(x - next.x, y - next.y) - chord) < 1e-9);
      }
    }
    assert.deepEqual(fanOut(centre, 2)[0], { x: 100, y: 42 });
  });

  it("gives each node one place, the same in whatever order they are named", () => {
    const ids = fc.uniqueArray(fc.constantFrom("ams-1", "ams-2", "ams-3", "nrt-1", "dev-node1", "zz-1", "x"));
    fc.assert(
      fc.property(ids, fc.integer(), (nodes, turn) => {
        const named = nodes.map((nodeId) => ({ nodeId }));
        const turned = [...named.slice(Math.abs(turn) % (named.length + 1)), ...named, ...named.slice(0, 2)];
        const layout = layOut(named);
        assert.deepEqual(layOut(turned), layout);
        const all = [...layout.placed, ...layout.unplaced].map(({ nodeId }) => nodeId);
        assert.deepEqual(all.sort(), [...nodes].sort());
        const places = layout.placed.map(({ at }) => `${at.x.toFixed(3)} ${at.y.toFixed(3)}`);
        assert.equal(new Set(places).size, places.length);
      }),
    );
  });

  it("lists nodes whose region has no place, and takes a region that is given before the node's name", () => {
    const { placed, unplaced } = layOut([{ nodeId: "zz-1" }, { nodeId: "odd name", region: "nrt" }]);
    assert.deepEqual(unplaced, [{ nodeId: "zz-1", region: "zz" }]);
    assert.equal(placed[0]?.region.name, "Tokyo");
  });
});

describe("A marker", () => {
  const layers = (kinds: readonly MarkerKind[], ...hidden: MarkerKind[]) =>
    layersOf({ kinds }, new Set(hidden));

  it("has the radius and the colour of the contract", () => {
    assert.deepEqual(
      Object.entries(MARKERS).map(([kind, { radius, color }]) => `${kind} ${radius} ${color}`),
      ["own 4 #e046ff", "expected 6 #969494", "active 4 #4ec2f8", "acked 4 #54f25a", "overdue 4 #ef4444"],
    );
  });

  it("is green over grey once acknowledged, grey again without it, red when overdue, and its own node's last", () => {
    assert.deepEqual(layers(["acked", "expected"]), ["expected", "acked"]);
    assert.deepEqual(layers(["expected"]), ["expected"]);
    assert.deepEqual(layers(["active", "expected", "acked"]), ["expected", "acked"]);
    assert.deepEqual(layers(["overdue", "expected"]), ["expected", "overdue"]);
    assert.deepEqual(layers(["active", "own"]), ["own"]);
  });

  it("shows what lies below when the legend hides a kind, and nothing when all are hidden", () => {
    assert.deepEqual(layers(["expected", "active", "own"], "own"), ["expected", "active"]);
    assert.deepEqual(layers(["expected", "active"], "expected"), ["active"]);
    assert.deepEqual(layers(["active"], "active"), []);
  });

  it("says in words all that holds for its node", () => {
    assert.equal(
      describeMarker("dev-node2", "Yellowknife", ["acked", "expected"]),
      "dev-node2, Yellowknife: expected, acknowledged",
    );
  });
});

describe("The nodes on the map of the Cluster page", () => {
  const member = (node_id: string | null, state: "Alive" | "Suspect" | "Down" | null, status = "active") =>
    ({ node_id, state, status, address: "10.0.0.1:8787", region: "ams" }) as Parameters<
      typeof mapNodesOf
    >[0]["members"][number];

  it("are those that DNS expects, members that are active, and the own one; each once, with all that holds", () => {
    const nodes = mapNodesOf({
      own: "ams-1",
      expected: [{ node_id: "ams-1", region: "ams", machine: "1" }],
      members: [member("ams-1", "Alive"), member("ams-2", null, "reachable"), member(null, "Alive")],
    });
    assert.deepEqual(nodes, [
      { nodeId: "ams-1", region: "ams", kinds: ["expected", "active", "own"] },
      { nodeId: "ams-2", region: "ams", kinds: ["active"] },
      { nodeId: "10.0.0.1:8787", region: "ams", kinds: ["active"] },
    ]);
  });

  it("are never active when they are Down or Suspect, or when nothing is known of them", () => {
    for (const state of ["Down", "Suspect"] as const) assert.equal(isActive(member("a", state)), false);
    assert.equal(isActive(member("a", null, "unknown")), false);
    assert.equal(isActive(member("a", "Alive")), true);
  });
});
