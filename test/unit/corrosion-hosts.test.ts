/** @module Bootstrap hosts: which texts are hosts, and one sentence for each that is none. */
import assert from "node:assert/strict";
import { isIPv6 } from "node:net";
import fc from "fast-check";
import { MAX_HOSTS, parseHosts } from "../../lib/bootstrap-hosts.ts";

function hostsOf(given: string | readonly string[]): readonly string[] {
  const parsed = parseHosts(given);
  assert.equal(parsed.kind, "hosts", JSON.stringify(parsed));
  return parsed.kind === "hosts" ? parsed.hosts : [];
}

function problemsOf(given: string | readonly string[]): Readonly<Record<string, string>> {
  const parsed = parseHosts(given);
  return parsed.kind === "refused" ? parsed.problems : {};
}

describe("Bootstrap hosts", () => {
  it("are names, IPv4 addresses and IPv6 addresses in brackets, with a port", () => {
    const hosts = [
      "localhost:1",
      "db-1.example.internal:8787",
      "my_app.internal.:9",
      "127.0.0.1:65535",
      "[::1]:8787",
    ];
    assert.deepEqual(hostsOf(hosts), hosts);
  });

  it("may be a text with commas, may repeat themselves, and may be none", () => {
    assert.deepEqual(hostsOf(" a:1 ,[fdaa::3]:2,, a:1,"), ["a:1", "[fdaa::3]:2"]);
    assert.deepEqual(hostsOf(""), []);
    assert.deepEqual(hostsOf([]), []);
  });

  const bad: [host: string, why: RegExp][] = [
    ["a", /has no port/],
    ["a:", /has a port that is no whole number from 1 to 65535/],
    ["a:0", /from 1 to 65535/],
    ["a:65536", /from 1 to 65535/],
    ["a:080", /from 1 to 65535/],
    ["a:1e3", /from 1 to 65535/],
    ["a:-1", /from 1 to 65535/],
    [":1", /no host name or IPv4 address/],
    ["256.0.0.1:1", /no host name or IPv4 address/],
    ["1.2.3:1", /no host name or IPv4 address/],
    ["-a:1", /no host name or IPv4 address/],
    ["a b:1", /no host name or IPv4 address/],
    ["a..b:1", /no host name or IPv4 address/],
    ['a"]:1', /no name:port/],
    ["::1", /has no port, or no brackets/],
    ["fdaa::3:8787", /has no port, or no brackets/],
    ["[::1]", /no name:port/],
    ["[fe80::1%eth0]:1", /no IPv6 address between its brackets/],
    ["[::\t1]:1", /no IPv6 address between its brackets/],
    ["[127.0.0.1]:1", /no IPv6 address between its brackets/],
    ["http://a:1", /no name:port/],
    [`${"a".repeat(64)}:1`, /no host name or IPv4 address/],
  ];
  for (const [host, why] of bad) {
    it(`are refused as ${JSON.stringify(host.slice(0, 30))} with the reason`, () => {
      assert.match(problemsOf([host])[host] ?? "", why);
    });
  }

  it("get one sentence each, and the good ones none", () => {
    assert.deepEqual(Object.keys(problemsOf("ok:1,bad,[x]:2")), ["bad", "[x]:2"]);
    assert.match(problemsOf([""])[""] ?? "", /is empty/);
  });

  it("take for IPv6 what Node.js does, but for zones", () => {
    const piece = fc.constantFrom(
      "",
      ":",
      "::",
      "0",
      "1",
      "ffff",
      "g",
      "12345",
      "1.2.3.4",
      "1.2.3",
      "%eth0",
      "\t",
    );
    const address = fc.oneof(
      fc.ipV6(),
      fc.array(piece, { maxLength: 17 }).map((pieces) => pieces.join("")),
    );
    fc.assert(
      fc.property(address, (text) => {
        const taken = parseHosts([`[${text}]:1`]).kind === "hosts";
        assert.equal(taken, isIPv6(text) && !text.includes("%"));
      }),
    );
  });

  it("are refused whatever they are called, so that none is dropped in silence", () => {
    for (const host of ["__proto__", "constructor", "toString"]) {
      const hosts = parseHosts([host]);
      assert.equal(hosts.kind, "refused", host);
      assert.ok(hosts.kind === "refused" && Object.hasOwn(hosts.problems, host));
    }
  });

  it("are at most a hundred", () => {
    const many = Array.from({ length: MAX_HOSTS + 1 }, (_, i) => `a${i}:1`);
    assert.match(problemsOf(many).hosts ?? "", /There are 101 bootstrap hosts/);
    assert.equal(hostsOf(many.slice(1)).length, MAX_HOSTS);
  });

  it("are never more than what was given, whatever that was", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 20 }), { maxLength: 5 }), (given) => {
        const parsed = parseHosts(given);
        if (parsed.kind === "refused")
          assert.ok(Object.values(parsed.problems).every((why) => /\.$/.test(why)));
        else for (const host of parsed.hosts) assert.ok(given.some((entry) => entry.trim() === host));
      }),
    );
  });
});
