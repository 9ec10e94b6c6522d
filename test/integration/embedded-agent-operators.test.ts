/** @module What operators use of an embedded agent: its admin socket by the frame, and its command line. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { frame, frames } from "../../corrosion/embedded/admin/frames.ts";
import { EmbeddedAgent, runCli, TEST_SCHEMA } from "../helpers/embedded-agent.ts";
import { until } from "../helpers/until.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

type Reply =
  | "Success"
  | { Log?: { level: string; msg: string; ts: number[] }; Json?: unknown; Error?: { msg: string } };

/** One connection to an admin socket. */
class Admin {
  readonly socket: Socket;
  readonly #frames: AsyncGenerator<string, void, void>;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.#frames = frames(socket);
  }

  static async open(path: string): Promise<Admin> {
    const socket = connect(path);
    await once(socket, "connect");
    return new Admin(socket);
  }

  /** All replies to a command, up to the last one. */
  async ask(command: unknown): Promise<Reply[]> {
    this.socket.write(frame(JSON.stringify(command)));
    return this.replies();
  }

  async replies(): Promise<Reply[]> {
    const replies: Reply[] = [];
    for (;;) {
      const { value, done } = await this.#frames.next();
      if (done) return replies;
      const reply = JSON.parse(value) as Reply;
      replies.push(reply);
      if (reply === "Success" || reply.Error !== undefined) return replies;
    }
  }

  /** Whether the agent has closed the connection. */
  async ended(): Promise<boolean> {
    return (await this.#frames.next()).done === true;
  }
}

const jsons = (replies: readonly Reply[]) =>
  replies.flatMap((reply) => (reply !== "Success" && reply.Json !== undefined ? [reply.Json] : []));
const errorOf = (replies: readonly Reply[]) => {
  const last = replies.at(-1);
  return last === undefined || last === "Success" ? null : (last.Error?.msg ?? null);
};

describe("an embedded agent for operators", () => {
  let agent: EmbeddedAgent;
  let other: EmbeddedAgent;
  before(async () => {
    agent = await EmbeddedAgent.start();
    other = await EmbeddedAgent.start({ bootstrap: [agent.gossipAddr], gossip: "member_id = 7" });
    await until(
      "they know each other",
      async () => (await agent.rows("SELECT * FROM __corro_members")).length === 1,
    );
  });
  after(async () => {
    await other.stop();
    await agent.stop();
  });

  describe("on the admin socket", () => {
    let admin: Admin;
    beforeEach(async () => {
      admin = await Admin.open(agent.adminPath);
    });
    afterEach(() => admin.socket.destroy());

    it("answers many commands on one connection, each ended by Success", async () => {
      assert.deepEqual(await admin.ask("Ping"), ["Success"]);
      const reload = await admin.ask("Reload");
      assert.deepEqual(
        reload.map((reply) => (reply === "Success" ? reply : reply.Log?.msg)),
        ["reloading schema from configured paths...", "schema reload finished", "Success"],
      );
      assert.deepEqual(await admin.ask("Ping"), ["Success"]);
    });

    it("takes a frame in pieces, and several at once", async () => {
      const ping = frame(`"Ping"`);
      admin.socket.write(ping.subarray(0, 2));
      admin.socket.write(ping.subarray(2, 7));
      admin.socket.write(Buffer.concat([ping.subarray(7), ping]));
      assert.deepEqual(await admin.replies(), ["Success"]);
      assert.deepEqual(await admin.replies(), ["Success"]);
    });

    it("lists members and their states, self left out, times bare", async () => {
      const [member] = jsons(await admin.ask({ Cluster: "Members" })) as {
        id: string;
        state: { addr: string; member_id: number; ts: number };
      }[];
      assert.match(member?.id ?? "", UUID);
      assert.equal(member?.state.addr, other.gossipAddr);
      assert.equal(member?.state.member_id, 7);
      assert.ok((member?.state.ts ?? 0) > 2 ** 53);
      const [state] = jsons(await admin.ask({ Cluster: "MembershipStates" })) as {
        state: string;
        incarnation: number;
      }[];
      assert.equal(state?.state, "Alive");
      assert.equal(typeof state?.incarnation, "number");
      // The log spells the id as everybody else does, so that it can be searched for.
      assert.ok(agent.output.includes(`a member's state changed id=${member?.id} `), agent.output);
    });

    it("rejoins, and is still a member", async () => {
      assert.equal((await admin.ask({ Cluster: "Rejoin" })).at(-1), "Success");
      await until("the other one sees it", async () =>
        /Alive/.test((await other.cli("cluster", "membership-states")).stdout),
      );
    });

    it("generates the state of the replication", async () => {
      await agent.transact(["INSERT OR REPLACE INTO tests VALUES (1, '')"]);
      const [state] = jsons(await admin.ask({ Sync: "Generate" })) as [
        { actor_id: string; heads: Record<string, number> },
      ];
      assert.match(state.actor_id, UUID);
      assert.ok((state.heads[state.actor_id] ?? 0) >= 1);
      assert.deepEqual(Object.keys(state), ["actor_id", "heads", "need", "partial_need", "last_cleared_ts"]);
    });

    it("lists subscriptions and tells of one by hash and by id", async () => {
      const stop = new AbortController();
      const answer = await fetch(`${agent.api}/v1/subscriptions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify("SELECT id,\n  text FROM tests"),
        signal: stop.signal,
      });
      const [id, hash] = [answer.headers.get("corro-query-id"), answer.headers.get("corro-query-hash")];
      const [list] = jsons(await admin.ask({ Subs: "List" })) as [
        { id: string; hash: string; sql: string }[],
      ];
      assert.deepEqual(
        list.map((entry) => [entry.id, entry.hash, entry.sql]),
        [[id, hash, "SELECT id, text FROM tests"]],
      );
      for (const which of [{ hash, id: null }, { id }]) {
        const [info] = jsons(await admin.ask({ Subs: { Info: which } })) as [
          { id: string; original_query: string },
        ];
        assert.deepEqual([info.id, info.original_query], [id, "SELECT id, text FROM tests"]);
      }
      stop.abort();
    });

    it("keeps the connection after an error", async () => {
      assert.equal(errorOf(await admin.ask({ Subs: { Info: {} } })), "specify hash or id for subscription");
      assert.equal(
        errorOf(await admin.ask({ Subs: { Info: { hash: "00" } } })),
        "unknown subscription hash or id",
      );
      for (const lacking of [
        { Cluster: { SetId: 7 } },
        { Log: { Set: { filter: "info" } } },
        { Log: "Reset" },
        { Sync: "ReconcileGaps" },
        { Sync: "CheckBookieConsistency" },
        { Actor: { Version: { actor_id: "x", version: 1 } } },
      ]) {
        assert.match(
          errorOf(await admin.ask(lacking)) ?? "",
          /embedded development agent/,
          JSON.stringify(lacking),
        );
      }
      assert.deepEqual(await admin.ask("Ping"), ["Success"]);
    });

    it("ends the connection after an undecodable frame", async () => {
      for (const nonsense of [
        `"Nothing"`,
        "{",
        `{"Cluster":"Nothing"}`,
        `{"Cluster":"Members","Sync":"Generate"}`,
        "5",
      ]) {
        const one = await Admin.open(agent.adminPath);
        one.socket.write(frame(nonsense));
        assert.notEqual(errorOf(await one.replies()), null, nonsense);
        assert.ok(await one.ended(), nonsense);
      }
      const long = await Admin.open(agent.adminPath);
      long.socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
      assert.notEqual(errorOf(await long.replies()), null);
      assert.ok(await long.ended());
    });

    it("returns what is wrong with a schema on Reload, and applies it when it is put right", async () => {
      agent.writeSchema(`${TEST_SCHEMA}CREATE TABLE more (id INTEGER NOT NULL PRIMARY KEY, x TEXT UNIQUE);`);
      assert.match(errorOf(await admin.ask("Reload")) ?? "", /^unique indexes are not supported: /);
      agent.writeSchema(`${TEST_SCHEMA}CREATE TABLE more (id INTEGER NOT NULL PRIMARY KEY, x TEXT);`);
      assert.equal((await admin.ask("Reload")).at(-1), "Success");
      assert.deepEqual(await agent.rows("SELECT count(*) FROM more"), [[0]]);
    });
  });

  describe("on the command line", () => {
    it("says in its version that it is the embedded development agent", async () => {
      const { code, stdout } = await runCli(["--version"]);
      assert.equal(code, 0);
      assert.match(stdout, /embedded development agent/);
    });

    it("prints rows with | between cells, NULL empty, blobs in hex", async () => {
      const sql = "SELECT 1, NULL, 1.0, 1e16, 'a|b', x'00ff', ? AS p";
      const { code, stdout } = await agent.cli("query", sql, "--param", "text", "--columns", "--timer");
      assert.equal(code, 0);
      const [columns, row, time] = stdout.split("\n");
      assert.equal(columns, "1|NULL|1.0|1e16|'a|b'|x'00ff'|p");
      assert.equal(row, "1||1|10000000000000000|a|b|x'00ff'|text");
      assert.match(time ?? "", /^time: [0-9.]+s$/);
    });

    it("binds parameters as text, logs affected rows on standard output, and is quiet when asked", async () => {
      const sql = "INSERT OR REPLACE INTO tests2 VALUES (9, typeof(?))";
      const { code, stdout } = await agent.cli("exec", sql, "--param", "5", "--timer");
      assert.equal(code, 0);
      assert.match(stdout, /^ INFO corrosion: Rows affected: 1\nRun Time: real [0-9.]+\n$/);
      assert.deepEqual(await agent.rows("SELECT text FROM tests2 WHERE id = 9"), [["text"]]);
      const quiet = await runCli(["-c", agent.configPath, "exec", sql, "--param", "5"], {
        RUST_LOG: "error",
      });
      assert.deepEqual([quiet.code, quiet.stdout], [0, ""]);
    });

    it("ends with 1 and the message on standard error when SQL fails, is refused or takes too long", async () => {
      for (const [args, message] of [
        [["query", "SELECT * FROM nowhere"], /^no such table: nowhere\n$/],
        [["query", "SELECT abs(-9223372036854775808)"], /^integer overflow\n$/],
        [
          ["exec", "INSERT INTO nowhere VALUES (1)"],
          /^rusqlite: no such table: nowhere \(actor_id: None, version: None\)\n$/,
        ],
        [
          [
            "query",
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c WHERE x < 0",
            "--timeout",
            "1",
          ],
          /^interrupted\n$/,
        ],
      ] as const) {
        const { code, stderr } = await agent.cli(...args);
        assert.equal(code, 1);
        assert.match(stderr, message);
      }
    });

    it("prints the answers of the admin socket as indented JSON", async () => {
      const members = await agent.cli("cluster", "members");
      assert.equal(members.code, 0);
      assert.match(
        members.stdout,
        /^\{\n {2}"id": "[0-9a-f-]{36}",\n {2}"rtts": \[[^\]]*\],\n {2}"state": \{\n {4}"addr": /m,
      );
      const states = await agent.cli("cluster", "membership-states");
      assert.match(states.stdout, /"state": "Alive"/);
      assert.match((await agent.cli("sync", "generate")).stdout, /"heads": \{/);
      assert.equal((await agent.cli("subs", "list")).code, 0);
      assert.equal((await agent.cli("cluster", "rejoin")).code, 0);
      assert.match((await agent.cli("reload")).stdout, /Successfully reloaded/);
      const unknown = await agent.cli("subs", "info", "--hash", "00");
      assert.deepEqual([unknown.code, unknown.stderr], [1, "unknown subscription hash or id\n"]);
      assert.equal(unknown.stdout, "ERROR corrosion: unknown subscription hash or id\n");
    });

    it("takes the addresses of flags instead of those of the configuration", async () => {
      const byFlag = await runCli(["query", "SELECT 5", "--api-addr", `127.0.0.1:${agent.apiPort}`]);
      assert.deepEqual([byFlag.code, byFlag.stdout], [0, "5\n"]);
      assert.equal((await runCli(["cluster", "members", "--admin-path", agent.adminPath])).code, 0);
      const nobody = await runCli(["cluster", "members", "--admin-path", join(agent.folder, "none.sock")]);
      assert.equal(nobody.code, 1);
      assert.match(nobody.stderr, /No agent answers/);
    });

    it("fails by its name for commands that only real Corrosion has, and with 2 for what nobody has", async () => {
      for (const args of [
        ["cluster", "set-id", "7"],
        ["consul", "sync"],
        ["actor", "version"],
        ["log", "reset"],
        ["tls", "ca"],
        ["db", "lock"],
        ["template", "x"],
      ]) {
        const { code, stderr } = await agent.cli(...args);
        assert.equal(code, 1, args.join(" "));
        assert.match(stderr, /embedded development agent/);
      }
      for (const args of [["nothing"], [], ["query"], ["agent", "--timer"], ["cluster", "members", "x"]]) {
        assert.equal((await agent.cli(...args)).code, 2, args.join(" "));
      }
    });

    it("backs up a running agent; restore is refused while it runs, then brings the rows back", async () => {
      await agent.transact(["INSERT OR REPLACE INTO tests VALUES (50, 'backed up')"]);
      const copy = join(agent.folder, "backup.db");
      assert.equal((await agent.cli("backup", copy)).code, 0);
      await agent.transact(["DELETE FROM tests WHERE id = 50"]);
      const refused = await agent.cli("restore", copy);
      assert.equal(refused.code, 1);
      assert.equal(refused.stderr, "corrosion is currently running, shut it down before restoring!\n");
      const actorOf = async () => (await agent.rows("SELECT lower(hex(crsql_site_id()))"))[0]?.[0];
      const actor = await actorOf();
      await other.end();
      await agent.end();
      assert.equal((await agent.cli("restore", copy, "--self-actor-id")).code, 0);
      assert.ok(!existsSync(agent.subscriptionsPath));
      await agent.run();
      assert.deepEqual(await agent.rows("SELECT text FROM tests WHERE id = 50"), [["backed up"]]);
      assert.equal(await actorOf(), actor);
      await agent.end();
      assert.equal((await agent.cli("restore", copy)).code, 0);
      await agent.run();
      assert.notEqual(await actorOf(), actor);
    });
  });
});
