/** @module The bus: what it shows of itself. */
import assert from "node:assert/strict";
import { natsBus } from "../../lib/bus.ts";

describe("the bus", () => {
  it("shows its servers, and neither name nor password nor token, to whoever asks for a broker's options", () => {
    for (const credentials of ["ada:secret", "secret"]) {
      const shown = JSON.stringify({ transporter: natsBus(`nats://${credentials}@a:4222`) });
      assert.match(shown, /nats:\/\/a:4222/);
      assert.doesNotMatch(shown, /ada|secret/);
    }
  });
});
