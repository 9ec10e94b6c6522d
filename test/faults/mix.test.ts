/** @module A short mix of all faults; `npm run soak` is the long one. */
import assert from "node:assert/strict";
import { faultSeed, Ground, replayHint } from "./ground.ts";
import { mix } from "./mix.ts";

const MIX_MS = 20_000;

const seed = faultSeed();
const hint = replayHint(seed, "test:faults");

describe(`three nodes over three NATS servers, under load and a mix of faults (${hint})`, function () {
  this.timeout(240_000);
  let ground: Ground;

  before(async () => {
    ground = await Ground.start(seed);
  });

  after(() => ground?.stop());

  it("lose, double and reorder nothing", async () => {
    const struck = await mix(ground, MIX_MS, hint);
    assert.ok(struck.size > 0);
  });
});
