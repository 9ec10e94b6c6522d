/** @module The embedded start as a newcomer meets it: real processes, really killed. */
import assert from "node:assert/strict";
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { readPidFile } from "../../bin/postgres-leftover.ts";
import { openSqliteEngine } from "../../services/raft/engine/sqlite.ts";
import { encodeEntry } from "../../services/raft/entry.ts";
import { freshDatabase, UNREACHABLE } from "../helpers/database.ts";
import { request } from "../helpers/http.ts";
import { loadShare } from "../helpers/machine-load.ts";
import { execute } from "../helpers/postgres.ts";
import { freePort, Program } from "../helpers/program.ts";
import { RawConnection } from "../helpers/raw-http.ts";
import { until } from "../helpers/until.ts";
import { isAlive } from "../runner/processes.ts";

describe("npm start", function () {
  this.timeout(60_000);
  let dataDir: string;
  let port: number;
  let programs: Program[];

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "fleet-start-"));
    port = await freePort(4);
    programs = [];
  });
  afterEach(async () => {
    await Promise.all(programs.map((program) => program.end("SIGKILL")));
    // Postgres outlives a killed program by the moment that its shutdown takes.
    await until("Postgres has ended", async () => {
      const file = await postmaster().catch(() => null);
      return file === null || !isAlive(file.pid);
    });
    await rm(dataDir, { recursive: true, force: true });
  });

  function start(env: Record<string, string> = {}, args: string[] = [], command = "up"): Program {
    const settings = {
      FLEET_DATA_DIR: dataDir,
      FLEET_GROUPS: "32",
      FLEET_LOG_DIR: join(dataDir, "logs"),
      PORT: String(port),
      ...env,
    };
    const program = new Program(command, settings, args);
    programs.push(program);
    return program;
  }
  const postmaster = () => readPidFile(join(dataDir, "postgres", "data"));
  const url = (node: number) => `http://127.0.0.1:${port + node}`;

  it("prints a line a stage with its time, then the URL of every node", async () => {
    const program = await start().ready();
    await until("the URLs are printed", () => program.output.includes(url(3)));
    assert.match(program.output, /^postgres +of its own, started \(\d+\.\d\d s\)$/m);
    assert.match(program.output, /^archive +in Postgres, schema up to date \(\d+\.\d\d s\)$/m);
    assert.match(program.output, /^nodes .*dev-node1, dev-node2, dev-node3 \(\d+\.\d\d s\)$/m);
    assert.match(program.output, /^groups .*32 groups recovered.*one durable copy.*\(\d+\.\d\d s\)$/m);
    for (const node of [1, 2, 3]) {
      assert.ok(program.output.includes(url(node)));
      assert.equal((await request(url(node), "GET", "/health/ready")).status, 200);
    }
  });

  it("is ready within 10 s, its first Postgres and all 256 groups included", async () => {
    const { output } = await start({ FLEET_GROUPS: "256" }).ready();
    const seconds = Number(/^ready in (\d+\.\d\d) s$/m.exec(output)?.[1]);
    // Other programs on the machine take their share.
    const share = loadShare();
    assert.ok(seconds < 10 * share, `it took ${seconds} s at a load of ${loadavg()}`);
  });

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it(`ends within 5 s and with exit code 0 on ${signal}`, async () => {
      const program = await start().ready();
      const began = performance.now();
      const exit = await program.end(signal);
      assert.deepEqual(exit, { code: 0, signal: null });
      assert.ok(performance.now() - began < 5000);
    });
  }

  it("ends at once on a second signal, whatever the first one still waits for", async () => {
    const program = await start().ready();
    const busy = await RawConnection.open(url(1));
    busy.send("POST /api/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{");
    const began = performance.now();
    program.signal("SIGINT");
    // One that comes within a second is an echo of the first.
    const again = setInterval(() => program.signal("SIGINT"), 100);
    try {
      assert.deepEqual(await program.exited, { code: 1, signal: null });
      assert.ok(performance.now() - began > 1000);
    } finally {
      clearInterval(again);
      busy.close();
    }
  });

  it("runs as many nodes as it is told to, and `stop` ends it from elsewhere", async () => {
    const program = start({}, ["2", "--no-repl"]);
    await program.ready();
    assert.match(program.output, /^nodes +dev-node1, dev-node2 \(/m);
    const stop = await start({}, [], "stop").exited;
    assert.equal(stop.code, 0);
    assert.deepEqual(await program.exited, { code: 0, signal: null });
    const again = start({}, [], "stop");
    assert.equal((await again.exited).code, 0);
    assert.match(again.output, /^Nothing runs/m);
  });

  it("refuses arguments that it does not know", async () => {
    for (const args of [["--replless"], ["2", "3"], ["11"]]) {
      const program = start({}, args);
      assert.equal((await program.exited).code, 1);
      assert.match(program.output, /is not known here|FLEET_NODES must be/);
    }
  });

  describe("and its archive", () => {
    /** The address of the embedded server, which only processes of this machine can open. */
    const ownDatabase = () =>
      `postgresql://fleetport@/postgres?host=${encodeURIComponent(join(dataDir, "postgres", "socket"))}`;
    const tables = async (url: string) => {
      const rows = await execute<{ name: string }>(
        url,
        "select tablename as name from pg_tables where schemaname = 'public' order by 1",
      );
      return rows.map(({ name }) => name);
    };

    it("is a real Postgres below the data folder, with the schema, and is there again at the next start", async () => {
      for (let i = 0; i < 2; i++) {
        const program = await start().ready();
        assert.ok((await tables(ownDatabase())).includes("group_watermarks"));
        await program.end("SIGTERM");
        assert.equal(await postmaster(), null, "Postgres was shut down in order");
      }
    });

    it("ends with the program, also by SIGKILL", async () => {
      const program = await start().ready();
      const { pid } = (await postmaster())!;
      await program.end("SIGKILL");
      await until("Postgres has ended", () => !isAlive(pid));
      await start().ready();
    });

    it("ends with the program when that is told to stop in the middle of its start", async () => {
      for (const [what, when] of [
        ["Postgres makes its data", () => readdir(join(dataDir, "postgres", "data.new"))],
        ["Postgres runs", postmaster],
      ] as const) {
        const program = start();
        await until(what, async () => (await when().catch(() => null)) !== null);
        const file = await postmaster().catch(() => null);
        const began = performance.now();
        const { code } = await program.end("SIGINT");
        assert.equal(code, 0, program.output);
        assert.ok(performance.now() - began < 5000);
        assert.equal(await postmaster(), null);
        assert.ok(file === null || !isAlive(file.pid));
      }
      await start().ready();
    });

    it("is that of DATABASE_URL when there is one; then no other Postgres is started", async () => {
      const url = await freshDatabase();
      const program = await start({ DATABASE_URL: url }).ready();
      assert.match(program.output, /^postgres +that of DATABASE_URL/m);
      assert.ok((await tables(url)).includes("group_watermarks"));
      assert.ok(!(await readdir(dataDir)).includes("postgres"));
    });

    it("is missed visibly when Postgres cannot be reached, and the start serves without it", async () => {
      const program = await start({ DATABASE_URL: UNREACHABLE }).ready();
      assert.match(
        program.output,
        /^archive +NOT AVAILABLE, conversations go on without it: .*ECONNREFUSED.* \(\d\.\d\d s\)$/m,
      );
      assert.doesNotMatch(program.output, /secret/);
      assert.equal((await request(url(1), "GET", "/health/ready")).status, 200);
      const began = performance.now();
      assert.equal((await program.end("SIGTERM")).code, 0);
      assert.ok(performance.now() - began < 5000);
    });

    it("is missed visibly when Postgres cannot be started, and the start serves and says why", async () => {
      await (await start().ready()).end("SIGTERM");
      await writeFile(join(dataDir, "postgres", "data", "PG_VERSION"), "9.6\n");
      const program = await start().ready();
      const reason = /Postgres could not be started: .*database files are incompatible with server/;
      assert.match(program.output, /^postgres +NOT AVAILABLE: there is no archive \(\d\.\d\d s\)$/m);
      assert.match(program.output, reason);
      const log = await readFile(join(dataDir, "logs", "postgres-app.log"), "utf8");
      assert.match(log, /Postgres could not be started/);
      for (const node of [1, 2, 3]) {
        assert.equal((await request(url(node), "GET", "/health/ready")).status, 200);
      }
    });
  });

  it("finds at the second start what was there at the end of the first", async () => {
    const first = await start().ready();
    await request(url(1), "POST", "/api/sessions", { id: "kept", user_id: "u", agent_id: "a" });
    const sent = [];
    for (let i = 0; i < 5; i++) {
      sent.push(
        (await request(url(2), "POST", "/api/sessions/kept/messages", { user_id: "u", content: { i } })).body,
      );
    }
    await first.end("SIGINT");
    await start().ready();
    const page = await request(url(3), "GET", "/api/sessions/kept/messages");
    assert.deepEqual(
      page.body.messages,
      sent.map(({ message }) => message),
    );
  });

  it("is not ready before it has recovered everything", async () => {
    const first = await start().ready();
    await request(url(1), "POST", "/api/sessions", { id: "s", user_id: "u", agent_id: "a" });
    for (let n = 1; n <= 50; n++) {
      await request(url(1), "POST", "/api/sessions/s/messages", { user_id: "u", content: { n } });
    }
    await first.end("SIGKILL");
    start();
    const before = new Set<number>();
    await until("node 1 is ready", async () => {
      const { status } = await request(url(1), "GET", "/health/ready");
      before.add(status);
      return status === 200;
    });
    assert.deepEqual(
      [...before].filter((status) => status !== 200 && status !== 503),
      [],
    );
    const page = await request(url(1), "GET", "/api/sessions/s/messages?limit=1000");
    assert.equal(page.status, 200);
    assert.equal(page.body.last_seq, 50);
  });

  it("has every acknowledged message, once and in order, after SIGKILL under load", async () => {
    const program = await start().ready();
    const sessions = Array.from({ length: 8 }, (_, i) => `s${i}`);
    for (const id of sessions) {
      await request(url(1), "POST", "/api/sessions", { id, user_id: "u", agent_id: "a" });
    }
    const acknowledged = new Map<string, { id: string; seq: number }[]>(sessions.map((id) => [id, []]));
    let killed = false;
    const writers = sessions.flatMap((id) =>
      [1, 2, 3].map(async (node) => {
        while (!killed) {
          const answer = await request(url(node), "POST", `/api/sessions/${id}/messages`, {
            user_id: "u",
            content: { node },
          }).catch(() => null);
          if (answer?.status === 200) acknowledged.get(id)!.push(answer.body.message);
        }
      }),
    );
    await until("some are acknowledged", () => [...acknowledged.values()].every((acks) => acks.length >= 30));
    await program.end("SIGKILL");
    killed = true;
    await Promise.all(writers);

    await start().ready();
    for (const [id, acks] of acknowledged) {
      const { body } = await request(url(1), "GET", `/api/sessions/${id}/messages?limit=1000`);
      const stored = body.messages;
      assert.deepEqual(
        stored.map(({ seq }) => seq),
        stored.map((_, i) => i + 1),
      );
      for (const { id: messageId, seq } of acks) assert.equal(stored[seq - 1]?.id, messageId);
    }
  });

  describe("stops with exit code 1 and one clear sentence", () => {
    async function refused(program: Program, sentence: RegExp): Promise<void> {
      const { code } = await program.exited;
      assert.equal(code, 1, program.output);
      assert.match(program.output, sentence);
      assert.doesNotMatch(program.output, /^\s+at .*\(/m, "no stack trace is shown");
    }

    it("when a value of the environment is invalid", async () => {
      await refused(start({ FLEET_GROUPS: "many" }), /^FLEET_GROUPS must be a whole number .* "many"\.$/m);
    });

    it("when a port is in use", async () => {
      const other = createServer().listen(port + 2, "127.0.0.1");
      try {
        await refused(start(), new RegExp(`${port + 2}.*in use`));
      } finally {
        other.close();
      }
    });

    it("when FLEET_GROUPS differs from what the data was made with", async () => {
      await (await start().ready()).end("SIGTERM");
      await refused(start({ FLEET_GROUPS: "64" }), /FLEET_GROUPS is 64, but .* created with 32 groups/);
    });

    it("when another process has the data folder", async () => {
      await start().ready();
      await refused(
        start({ PORT: String(port + 100) }),
        /in use by another process.*FLEET_DATA_DIR|FLEET_DATA_DIR.*in use/s,
      );
    });

    it("when the log file is not a database", async () => {
      await (await start().ready()).end("SIGTERM");
      const file = await open(join(dataDir, "log.sqlite"), "r+");
      await file.write(Buffer.from("this was overwritten by something else"), 0, undefined, 0);
      await file.close();
      await refused(start(), /log\.sqlite.*(damaged|not a database|malformed)/);
    });

    it("when a page of the log file was damaged", async () => {
      const first = await start().ready();
      await request(url(1), "POST", "/api/sessions", { id: "s", user_id: "u", agent_id: "a" });
      for (let i = 0; i < 20; i++) {
        const content = { text: "x".repeat(20_000) };
        await request(url(1), "POST", "/api/sessions/s/messages", { user_id: "u", content });
      }
      await first.end("SIGTERM");
      const path = join(dataDir, "log.sqlite");
      const file = await open(path, "r+");
      const { size } = await stat(path);
      await file.write(Buffer.alloc(8192, 0x5a), 0, undefined, Math.floor(size / 2));
      await file.close();
      await refused(start(), /log\.sqlite|group \d+.*damaged/);
    });
  });

  it("halts the group, says so and is not ready when the log holds a command of a newer version", async () => {
    await (await start()).ready().then((program) => program.end("SIGTERM"));
    const engine = await openSqliteEngine({ dataDir });
    const log = await engine.open(7);
    const { last } = await log.bounds();
    let epoch = 0;
    for await (const { data } of log.read(last, last)) {
      epoch = (JSON.parse(Buffer.from(data).toString()) as [number, string, string, number])[3];
    }
    const digest: [number, number] = [0, 0];
    const command = JSON.stringify({ t: "append", v: 9, session: "s", at: 1 });
    await log.append(
      encodeEntry({ batch: "newer", author: "newer", epoch, digest }, [command]),
      last,
      "newer",
    );
    await engine.close();

    const program = start();
    await until("the reason is printed", () =>
      /command "append" version 9.*run a newer version/.test(program.output),
    );
    const ready = await request(url(1), "GET", "/health/ready");
    assert.equal(ready.status, 503);
    assert.equal(ready.body.reason, "groups_recovering");
    assert.equal((await request(url(1), "GET", "/health/live")).status, 200);
  });

  it("leaves nothing behind in the data folder but its files", async () => {
    await (await start().ready()).end("SIGTERM");
    const files = await readdir(dataDir);
    assert.ok(files.includes("log.sqlite"));
    assert.ok(!files.some((file) => file.endsWith("-wal")), `no open journal: ${files}`);
  });
});
