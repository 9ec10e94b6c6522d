/** @module Decisions about a node's agent: which one it is, when it is started again, what it gets and what is removed. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { readConfig } from "../../lib/config.ts";
import { afterCrash, CALM } from "../../services/corrosion/agent/backoff.ts";
import { agentEnvironment } from "../../services/corrosion/agent/environment.ts";
import { LogTail, lineSplitter, MAX_LINES } from "../../services/corrosion/agent/log-tail.ts";
import { chooseAgent, EMBEDDED } from "../../services/corrosion/agent/program.ts";
import { type RestartEvent, runRestart } from "../../services/corrosion/agent/restart.ts";
import { clearSubscriptions } from "../../services/corrosion/agent/subscriptions-folder.ts";
import type { RestartPhase } from "../../services/corrosion/contract.ts";

describe("An agent that crashes", () => {
  it("is started again after 1, 2, 5, 10 and then every 30 s while it runs a while in between", () => {
    let history = CALM;
    const waits: number[] = [];
    for (let now = 0; waits.length < 7; now += 40_000) {
      const next = afterCrash(history, now, 20_000);
      assert.equal(next.kind, "retry");
      if (next.kind !== "retry") return;
      waits.push(next.delayMs);
      history = next.history;
    }
    assert.deepEqual(waits, [1000, 2000, 5000, 10_000, 30_000, 30_000, 30_000]);
  });

  it("is given up at the fifth crash within a minute", () => {
    let history = CALM;
    for (let crash = 1; crash <= 4; crash++) {
      const next = afterCrash(history, crash * 14_000, 100);
      assert.equal(next.kind, "retry");
      if (next.kind === "retry") history = next.history;
    }
    assert.deepEqual(afterCrash(history, 73_999, 100), { kind: "give_up", crashes: 5 });
    assert.equal(afterCrash(history, 74_000, 100).kind, "retry");
  });

  it("counts from the beginning once it ran for a minute", () => {
    const history = { recent: [], inRow: 4 };
    const next = afterCrash(history, 0, 60_000);
    assert.deepEqual(next.kind === "retry" && [next.delayMs, next.history.inRow], [1000, 1]);
  });

  it("crashes at most four times in any minute before it is given up", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30_000), { minLength: 1, maxLength: 50 }), (pauses) => {
        let history = CALM;
        let now = 0;
        const times: number[] = [];
        for (const pause of pauses) {
          now += pause;
          times.push(now);
          const next = afterCrash(history, now, pause);
          const within = times.filter((at) => now - at < 60_000).length;
          assert.equal(next.kind, within >= 5 ? "give_up" : "retry");
          if (next.kind === "give_up") return;
          history = next.history;
        }
      }),
    );
  });
});

describe("The agent of a node", () => {
  let folder: string;
  const choose = (env: Readonly<Record<string, string>>, path = "/nowhere") =>
    chooseAgent(readConfig({ FLEET_NODES: "1", ...env }).console.agent, path);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fp-"));
    writeFileSync(join(folder, "corrosion"), "#!/bin/sh\n", { mode: 0o755 });
    writeFileSync(join(folder, "text"), "");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("is the binary of CORROSION_BIN, else the one on PATH, else the embedded one", () => {
    const bin = join(folder, "corrosion");
    const binary = { kind: "binary", name: bin, file: bin, args: [] };
    assert.deepEqual(choose({ CORROSION_BIN: bin }), { kind: "program", program: binary });
    assert.deepEqual(choose({}, `/nowhere:${folder}`), { kind: "program", program: binary });
    assert.deepEqual(choose({}), { kind: "program", program: EMBEDDED });
    assert.deepEqual(choose({ CORROSION_MODE: "embedded" }, folder), { kind: "program", program: EMBEDDED });
  });

  it("is nobody's, with a sentence, where the binary that was asked for cannot be run", () => {
    const none = choose({ CORROSION_MODE: "binary" });
    assert.match(none.kind === "none" ? none.reason : "", /no corrosion on PATH: set CORROSION_BIN/);
    const text = choose({ CORROSION_BIN: join(folder, "text") });
    assert.match(text.kind === "none" ? text.reason : "", /text, which is no program that can be run/);
  });

  it("is somebody else's where there is a URL", () => {
    const url = "http://127.0.0.1:1";
    assert.deepEqual(choose({ CORROSION_API_URL: url }, folder), { kind: "external", apiUrl: url });
  });

  it("gets what a program needs of the environment, and none of what real Corrosion takes for settings", () => {
    const env = { PATH: "/bin", HOME: "/root", LC_ALL: "C", TZ: "UTC", RUST_LOG: "info" };
    const stray = {
      DB: "x",
      LOG: "x",
      API__ADDR: "x",
      GOSSIP__PLAINTEXT: "x",
      CORROSION_API_TOKEN: "x",
      NODE_OPTIONS: "x",
    };
    assert.deepEqual(agentEnvironment({ ...env, ...stray, LANG: undefined }), env);
  });
});

describe("The subscriptions of an agent that was cut off", () => {
  let folder: string;
  const at = (path: string) => join(folder, path);
  const clear = (subscriptions: string, db = "data/corrosion.db") =>
    clearSubscriptions({ subscriptionsPath: at(subscriptions), dbPath: at(db) }, at("data"));

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fp-"));
    for (const name of ["data/subscriptions/x", "other", "elsewhere/subscriptions"]) {
      mkdirSync(at(name), { recursive: true });
    }
    writeFileSync(at("data/corrosion.db"), "");
    writeFileSync(at("other/file"), "");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("are removed from the node's own folder, and from beside the database", async () => {
    assert.equal((await clear("data/subscriptions")).kind, "cleared");
    assert.equal(existsSync(at("data/subscriptions")), false);
    assert.equal(existsSync(at("data/corrosion.db")), true);
    assert.equal((await clear("data/subscriptions")).kind, "absent");
    assert.equal((await clear("elsewhere/subscriptions", "elsewhere/corrosion.db")).kind, "cleared");
    assert.equal((await clear("nothing/here")).kind, "absent");
  });

  const kept: [title: string, path: string, db?: string][] = [
    ["somebody else's folder", "other"],
    ["a folder that is reached by two dots", "data/subscriptions/../../other"],
    ["the node's folder itself", "data"],
    ["the folder with the database", "data/subscriptions", "data/subscriptions/corrosion.db"],
    ["everything", "."],
    ["a folder behind a link", "data/link"],
    ["a folder behind a link on the way", "data/way/subscriptions"],
  ];
  for (const [title, path, db] of kept) {
    it(`are not looked for in ${title}`, async () => {
      symlinkSync(at("other"), at("data/link"));
      symlinkSync(at("elsewhere"), at("data/way"));
      assert.equal((await clear(path, db)).kind, "refused");
      for (const file of [
        "other/file",
        "data/corrosion.db",
        "elsewhere/subscriptions",
        "data/subscriptions/x",
      ]) {
        assert.equal(existsSync(at(file)), true, file);
      }
    });
  }
});

describe("The log of an agent", () => {
  it("keeps the newest 500 lines", () => {
    const tail = new LogTail(null);
    for (let i = 0; i < 1700; i++) tail.add("stdout", String(i));
    const { lines } = tail.last(10_000);
    assert.deepEqual([lines.length, lines[0]?.line, lines.at(-1)?.line], [MAX_LINES, "1200", "1699"]);
    assert.deepEqual(
      tail.last(2).lines.map(({ line }) => line),
      ["1698", "1699"],
    );
  });

  it("cuts lines wherever the chunks end", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 10 })), (chunks) => {
        const seen: string[] = [];
        const take = lineSplitter((line) => seen.push(line));
        for (const chunk of chunks) take(chunk);
        take("\n");
        assert.deepEqual(
          seen,
          `${chunks.join("")}\n`
            .split("\n")
            .slice(0, -1)
            .map((line) => line.replace(/\r$/, "")),
        );
      }),
    );
  });
});

describe("A restart", () => {
  type Failure = "none" | "throws" | "abort" | "fails";
  const failures = fc.constantFrom<Failure>("none", "throws", "abort", "fails");

  it("ends with exactly one word, whatever goes wrong in any of its phases", async () => {
    await fc.assert(
      fc.asyncProperty(failures, failures, failures, async (stop, start, settle) => {
        const said: RestartEvent[] = [];
        const reached: RestartPhase[] = [];
        const breakOff = new AbortController();
        const meet = (failure: Failure) => {
          if (failure === "throws") throw new Error("thrown");
          if (failure === "abort") breakOff.abort(new Error("broken off"));
        };
        const end = await runRestart(
          {
            announce: (event) => void said.push(event),
            reached: (phase) => void reached.push(phase),
            stop: async () => meet(stop),
            start: async () => {
              meet(start);
              if (start !== "fails") return { kind: "healthy" };
              return { kind: "failed", phase: "health", reason: "no answer" };
            },
            settle: async () => meet(settle),
          },
          breakOff.signal,
          0,
        );
        assert.deepEqual(said, [{ kind: "restarting" }, end]);
        const order = [
          ["stopping", stop],
          ["starting", start],
          ["settling", settle],
        ] as const;
        const first = order.find(
          ([phase, failure]) => failure !== "none" && (failure !== "fails" || phase === "starting"),
        );
        if (first === undefined) {
          assert.deepEqual(reached, ["stopping", "starting", "settling"]);
          return assert.equal(end.kind, "ready");
        }
        assert.equal(end.kind, "restart_failed");
        if (end.kind !== "restart_failed") return;
        const [phase, failure] = first;
        // An abort is noticed before the next phase begins.
        const noticed = failure === "abort" && phase === "stopping" ? "starting" : phase;
        assert.equal(end.phase, failure === "fails" ? "health" : noticed);
        assert.equal(reached.at(-1), noticed);
        const reasons = { throws: "thrown", abort: "broken off", fails: "no answer", none: "" };
        assert.equal(end.reason, reasons[failure]);
      }),
    );
  });
});
