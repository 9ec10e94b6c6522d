/** @module NATS_URL: addresses that may be shown, and the credentials with which the servers are entered. */
import assert from "node:assert/strict";
import { NatsError } from "nats";
import { connectProblem, InvalidNatsUrl, readNatsUrl } from "../../lib/nats-access.ts";

/** The sentence that reading this ends with. */
function problem(url: string): string {
  try {
    readNatsUrl(url);
  } catch (error) {
    assert.ok(error instanceof InvalidNatsUrl, String(error));
    return error.message;
  }
  return assert.fail(`${url} was taken`);
}

describe("NATS_URL", () => {
  it("names one server or several, with spaces around the commas or without", () => {
    assert.deepEqual(readNatsUrl("nats://a:4222"), { servers: ["nats://a:4222"] });
    assert.deepEqual(readNatsUrl("tls://nats.example.org, nats://[::1]:4222"), {
      servers: ["tls://nats.example.org", "nats://[::1]:4222"],
    });
  });

  it("holds a user name and a password, or a token, which its addresses do not show", () => {
    assert.deepEqual(readNatsUrl("nats://ada:secret@a:4222"), {
      servers: ["nats://a:4222"],
      user: "ada",
      pass: "secret",
    });
    assert.deepEqual(readNatsUrl("nats://t0ken@a:4222"), { servers: ["nats://a:4222"], token: "t0ken" });
  });

  it("takes special characters as %-codes, and further colons as part of the password", () => {
    const { user, pass } = readNatsUrl("nats://a%40b:p%2F%2C%25:%40@h:1");
    assert.deepEqual([user, pass], ["a@b", "p/,%:@"]);
    assert.equal(readNatsUrl("nats://t%3Ak@h:1").token, "t:k");
  });

  it("gives the same credentials on each server, or only on the first", () => {
    const wanted = { servers: ["nats://a:1", "nats://b:2"], user: "u", pass: "p" };
    assert.deepEqual(readNatsUrl("nats://u:p@a:1,nats://u:p@b:2"), wanted);
    assert.deepEqual(readNatsUrl("nats://u:p@a:1,nats://b:2"), wanted);
  });

  for (const url of [
    "nats://u:secret@a:1,nats://u:secret2@b:2",
    "nats://a:1,nats://u:secret@b:2",
    "nats://u:secret@a:1,nats://secret@b:2",
  ]) {
    it(`with other credentials for a later server is refused: ${url}`, () => {
      assert.match(problem(url), /^NATS_URL has other credentials for one server than for the first: .+\.$/);
      assert.doesNotMatch(problem(url), /secret/);
    });
  }

  for (const url of [
    "http://u:secret@a:1",
    "nats://u:sec/ret@a:1",
    "nats://u:sec,ret@a:1",
    "nats://u:sec%ret@a:1",
    "nats://:secret@a:1",
    "nats://secret:@a:1",
    "nats://@a:1,nats://secret",
    "nats://u:secret@",
    "nats://u:secret@a:port",
  ]) {
    it(`that cannot be read is refused in one sentence without what may be a password: ${url}`, () => {
      assert.match(problem(url), /^NATS_URL must be nats:\/\/host:port, .+\.$/);
      assert.doesNotMatch(problem(url), /sec|ret/);
    });
  }

  it("without credentials is repeated where it is wrong", () => {
    assert.match(problem("nats://a:1,http://b:2"), /and has "http:\/\/b:2"\.$/);
  });
});

describe("a first connection that failed", () => {
  const refusal = new NatsError("'Authorization Violation'", "AUTHORIZATION_VIOLATION");
  const say = (url: string, error: Error) => connectProblem(readNatsUrl(url), error);

  it("says what to correct in NATS_URL, and repeats no password", () => {
    assert.match(
      say("nats://u:secret@a:1", refusal),
      /a:1 refuses the user name or the password in NATS_URL/,
    );
    assert.match(say("nats://secret@a:1", refusal), /a:1 refuses the token in NATS_URL/);
    assert.match(say("nats://a:1", refusal), /wants to know who connects: .*nats:\/\/user:password@/);
    assert.match(
      say("nats://u:secret@a:1", new Error("ECONNREFUSED")),
      /^NATS cannot be reached at nats:\/\/a:1 /,
    );
    for (const error of [refusal, new Error("x")]) {
      assert.doesNotMatch(say("nats://u:secret@a:1", error), /secret/);
    }
  });
});
