/**
 * @module `npm run soak [-- --minutes N]`: a random mix of faults for 10 minutes; `FLEET_FAULT_SEED` replays its
 * choices. Ends with exit code 1 at the first check that fails.
 */
import { parseArgs } from "node:util";
import { faultSeed, Ground, replayHint } from "./ground.ts";
import { mix } from "./mix.ts";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error(`--minutes must be a number above 0, and is "${values.minutes}"`);

const seed = faultSeed();
const hint = replayHint(seed, `soak -- --minutes ${minutes}`);
console.log(`${minutes} minutes of faults, ${hint}`);

const ground = await Ground.start(seed);
try {
  const struck = await mix(ground, minutes * 60_000, hint);
  console.log("Nothing was lost, doubled or reordered by:");
  for (const [name, times] of struck) console.log(`  ${times} x ${name}`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await ground.stop();
}
