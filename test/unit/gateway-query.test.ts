/** @module Query strings of the HTTP API, read strictly. */
import assert from "node:assert/strict";
import { parseQuery } from "../../services/gateway/query.ts";

const refused = { type: "invalid_parameter", code: 400 };

describe("A query string", () => {
  it("gives texts with percent-encoding and plus signs decoded", () => {
    const query = parseQuery("user_id=anna%20b%C3%A9+c&x=1%2B1");
    assert.equal(query.text("user_id"), "anna bé c");
    assert.equal(query.text("x"), "1+1");
  });

  it("tells an absent parameter from an empty one", () => {
    const query = parseQuery("a=&b");
    assert.equal(query.text("a"), "");
    assert.equal(query.text("b"), "");
    assert.equal(query.text("c"), undefined);
    assert.equal(query.has("a"), true);
    assert.equal(query.has("c"), false);
    assert.equal(parseQuery("").has(""), false);
  });

  it("keeps what stands behind the first equals sign as the value", () => {
    assert.equal(parseQuery("cursor=YQ==").text("cursor"), "YQ==");
  });

  it("reads whole numbers in decimal digits, negative ones too", () => {
    assert.equal(parseQuery("n=0").integer("n"), 0);
    assert.equal(parseQuery("n=9007199254740991").integer("n"), Number.MAX_SAFE_INTEGER);
    assert.equal(parseQuery("n=-3").integer("n"), -3);
    assert.equal(parseQuery("").integer("n"), undefined);
  });

  for (const text of [
    "abc",
    "",
    "1.5",
    "1e3",
    "0x10",
    "+5",
    "%20",
    "1 ",
    "--1",
    "Infinity",
    "9007199254740992",
  ]) {
    it(`refuses "${text}" as a number`, () => {
      assert.throws(() => parseQuery(`n=${text}`).integer("n"), refused);
    });
  }

  it("refuses a name that is given twice, for nobody can know which one is meant", () => {
    assert.throws(() => parseQuery("limit=1&limit=2"), refused);
  });

  for (const text of ["a=%zz", "a=%", "%ff=1", "a=%C3"]) {
    it(`refuses the malformed percent-encoding in "${text}"`, () => {
      assert.throws(() => parseQuery(text), refused);
    });
  }
});
