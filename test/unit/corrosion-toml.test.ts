/** @module Edits of an agent's TOML: `gossip.bootstrap` changes, everything else stays; secrets are not shown. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { stringify, type TomlTable } from "smol-toml";
import { readAgentToml } from "../../lib/corrosion/agent-toml.ts";
import { parseToml, sameToml, tableAt, UnusableToml, writeToml } from "../../lib/toml.ts";
import { editBootstrap } from "../../services/corrosion/config/bootstrap-edit.ts";
import { REDACTED, redactToml } from "../../services/corrosion/config/redact.ts";

const HOSTS = ["[fdaa::3]:8787", "db.example:8787"];

describe("An edit of the bootstrap hosts", () => {
  /** Texts with the value at a place that is easily missed, and each text as it is to become. */
  const texts: [title: string, before: string, after: string][] = [
    [
      "keeps comments, spacing and line ends",
      '# top\r\n[gossip] # here\r\nbootstrap  =  ["a:1"] # old\r\n\r\n[api]\r\naddr="x"\r\n',
      '# top\r\n[gossip] # here\r\nbootstrap  =  ["[fdaa::3]:8787", "db.example:8787"] # old\r\n\r\n[api]\r\naddr="x"\r\n',
    ],
    [
      "takes no commented line for the value",
      '[gossip]\n# bootstrap = ["c:1"]\nbootstrap = ["a:1"]\n',
      '[gossip]\n# bootstrap = ["c:1"]\nbootstrap = ["[fdaa::3]:8787", "db.example:8787"]\n',
    ],
    [
      "takes no key of that name elsewhere",
      '[other]\nbootstrap = ["a:1"]\n[gossip]\nbootstrap = ["a:1"]\n[last]\nbootstrap = ["a:1"]\n',
      '[other]\nbootstrap = ["a:1"]\n[gossip]\nbootstrap = ["[fdaa::3]:8787", "db.example:8787"]\n[last]\nbootstrap = ["a:1"]\n',
    ],
    [
      "takes no bracket inside a string or a comment for the end",
      '[gossip]\nbootstrap = [ # [one]\n  "[::1]:1", # ] not yet\n  "b:1",\n]\nplaintext = true\n',
      '[gossip]\nbootstrap = ["[fdaa::3]:8787", "db.example:8787"]\nplaintext = true\n',
    ],
    [
      "finds the value in an inline table and under a dotted key",
      'gossip = { addr = "x", bootstrap = [] }\n',
      'gossip = { addr = "x", bootstrap = ["[fdaa::3]:8787", "db.example:8787"] }\n',
    ],
    [
      "adds the value where there is none",
      '[gossip]\naddr = "x"\n[api]\naddr = "y"\n',
      '[gossip]\nbootstrap = ["[fdaa::3]:8787", "db.example:8787"]\naddr = "x"\n[api]\naddr = "y"\n',
    ],
  ];
  for (const [title, before, after] of texts)
    it(title, () => assert.equal(editBootstrap(before, HOSTS), after));

  it("leaves the text alone when the hosts are those that it has", () => {
    const text = '[gossip]\nbootstrap = [ "a:1" ]\n';
    assert.equal(editBootstrap(text, ["a:1"]), text);
  });

  it("keeps integers of 64 bits, floats and dates when all must be written again", () => {
    const text =
      'gossip.addr = "x"\nbig = 9223372036854775807\nreal = 1.0\nday = 1979-05-27\nat = 1979-05-27T00:00:00Z\n';
    const edited = editBootstrap(text, HOSTS);
    for (const line of [
      "big = 9223372036854775807",
      "real = 1.0",
      "day = 1979-05-27",
      "at = 1979-05-27T00:00:00",
    ]) {
      assert.ok(edited.includes(line), `${line} in ${edited}`);
    }
  });

  it("is refused, with the place, where there is no TOML, and without the table gossip", () => {
    assert.throws(() => editBootstrap("[gossip\n", HOSTS), /^UnusableToml: line 1, column \d+: \w/);
    assert.throws(() => editBootstrap('[api]\naddr = "x"\n', HOSTS), UnusableToml);
    assert.throws(() => editBootstrap('gossip = "x"\n', HOSTS), /"gossip" is no table/);
  });

  const key = fc.stringMatching(/^[a-z][a-z_-]{0,8}$/);
  const scalar = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.double({ noNaN: true }),
    fc.boolean(),
    fc.constantFrom('bootstrap = ["x"]', "]", "# no comment", "[gossip]"),
  );
  const table = fc.dictionary(
    key,
    fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }), fc.dictionary(key, scalar)),
    {
      maxKeys: 6,
      noNullPrototype: true,
    },
  );

  it("changes the hosts and nothing else, in any TOML", () => {
    fc.assert(
      fc.property(
        table,
        table,
        fc.array(fc.stringMatching(/^[\w."'\\\][#=]{1,12}$/), { maxLength: 4 }),
        fc.option(fc.constantFrom('# bootstrap = ["c:1"]\n', "# [gossip]\n"), { nil: "" }),
        (rest, gossip, hosts, comment) => {
          const whole = { ...rest, gossip: { ...gossip, bootstrap: ["old:1"] } };
          const text = comment + stringify(whole, { numbersAsFloat: true });
          const before = parseToml(text);
          const after = parseToml(editBootstrap(text, hosts));
          assert.deepEqual(tableAt(after, "gossip").bootstrap, hosts);
          const wanted: TomlTable = { ...before, gossip: { ...tableAt(before, "gossip"), bootstrap: hosts } };
          assert.ok(sameToml(after, wanted));
          assert.ok(sameToml(parseToml(writeToml(after)), after));
        },
      ),
    );
  });
});

describe("Two TOML tables", () => {
  const pairs: [string, string][] = [
    ["a = 1", "a = 1.0"],
    ["a = 1", 'a = "1"'],
    ["a = 1979-05-27", "a = 1979-05-27T00:00:00Z"],
    ["a = 9223372036854775807", "a = 9223372036854775806"],
    ["a = []", "b = []"],
    ["[a]", "a = []"],
  ];
  for (const [one, other] of pairs) {
    it(`differ: ${one} and ${other}`, () => {
      assert.equal(sameToml(parseToml(one), parseToml(other)), false);
      assert.equal(sameToml(parseToml(one), parseToml(one)), true);
    });
  }
});

describe("An agent's TOML", () => {
  const text = (api: string, more = "") =>
    `[db]\npath = "/d/x.db"\n[gossip]\naddr = "[::]:8787"\n[admin]\npath = "/d/a.sock"\n${more}[api]\n${api}\n`;

  it("says where its API is reached, with which token, and where its subscriptions are", () => {
    const toml = readAgentToml(text('addr = ["0.0.0.0:8081", "[::]:1"]\nauthz.bearer-token = "t"'));
    assert.deepEqual(toml, {
      apiUrl: "http://127.0.0.1:8081",
      apiHost: "127.0.0.1",
      apiPort: 8081,
      token: "t",
      adminPath: "/d/a.sock",
      gossipAddr: "[::]:8787",
      bootstrap: [],
      dbPath: "/d/x.db",
      subscriptionsPath: "/d/subscriptions",
    });
    assert.equal(readAgentToml(text('addr = "[::]:1"')).apiUrl, "http://[::1]:1");
    assert.equal(readAgentToml(text('bind_addr = "127.0.0.1:1"\nauthz.bearer = "t"')).token, "t");
  });

  const unusable: [text: string, why: RegExp][] = [
    ["", /"db.path" is missing/],
    [text(""), /"api.addr" is missing/],
    [text('addr = "localhost"'), /must be ip:port/],
    [text('addr = "127.0.0.1:0"'), /must be ip:port/],
    [text("addr = 1"), /"api.addr" is missing, or is no address/],
    [text('addr = "127.0.0.1:1"').replace('addr = "[::]:8787"', "bootstrap = 1"), /"gossip.addr" is missing/],
    [
      text('addr = "127.0.0.1:1"').replace("[admin]", "bootstrap = [1]\n[admin]"),
      /"gossip.bootstrap" is no list/,
    ],
  ];
  for (const [broken, why] of unusable) {
    it(`is refused with its fault: ${why.source}`, () => {
      assert.throws(
        () => readAgentToml(broken),
        (error) => error instanceof UnusableToml && why.test(error.message),
      );
    });
  }
});

describe("The TOML that is shown", () => {
  const secret = "s3cr3t-value";
  const texts = [
    `[api.authz]\nbearer-token = "${secret}"\n`,
    `[api.authz]\nauthorization = '${secret}'\n`,
    `[api.authz]\nbearer = """${secret}"""\n`,
    `api.authz = { "bearer-token" = "${secret}" }\n`,
    `[api.authz]\n"bearer\\u002dtoken" = "${secret}"\n# used to be ${secret}\n`,
    `# bearer-token = "${secret}"\n[api]\naddr = "x"\n`,
    `[api.authz]\nbearer-token = "${secret}\n[broken`,
    `[api.authz]\nbearer-token = ${secret}\n[broken`,
    `[api.authz]\nbearer-token = """\n${secret}\n`,
  ];
  for (const text of texts) {
    it(`has no secret: ${JSON.stringify(text)}`, () => {
      const shown = redactToml(text);
      assert.ok(!shown.includes(secret), shown);
      assert.ok(shown.includes(REDACTED), shown);
    });
  }

  it("has no secret that is too short to be looked for everywhere", () => {
    assert.ok(!redactToml('[api.authz]\n"bearer\\u002dtoken" = "q7"\n').includes("q7"));
  });

  it("is the whole text where there is no secret", () => {
    const text = '# a comment\n[gossip]\nbootstrap = ["token:1"]\n';
    assert.equal(redactToml(text), text);
  });

  it("has no secret that the node knows, wherever it stands", () => {
    assert.equal(redactToml(`# try ${secret}\n`, [secret]), `# try ${REDACTED}\n`);
  });
});
