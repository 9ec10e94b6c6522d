/** @module The bootstrap: what it installs and when, and how it hands over to the script that it runs. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import project from "../../package.json" with { type: "json" };
import { until } from "../helpers/until.ts";
import { isAlive } from "../runner/processes.ts";

const BOOTSTRAP = join(import.meta.dirname, "..", "..", "bin", "bootstrap.mjs");
const SCRIPTS: Readonly<Record<string, string>> = project.scripts;

/** The Node that a person has: the first on PATH that no package brought. It may be older than the project's own. */
const MACHINE_PATH = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((entry) => !entry.includes("node_modules"))
  .join(delimiter);

/** Our environment without what npm has put there: the projects here are not the one whose tests run. */
const ENVIRONMENT: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_|^INIT_CWD$|^NODE(_ENV)?$/.test(name)),
  ),
  PATH: MACHINE_PATH,
};

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a command, and collects what it says. */
class Run {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";

  constructor(root: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(command, args, { cwd: root, env: { ...ENVIRONMENT, ...env } });
    const { promise, resolve, reject } = Promise.withResolvers<Ended>();
    this.ended = promise;
    this.child.stdout?.setEncoding("utf8").on("data", (text) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
    });
    this.child.once("error", reject);
    this.child.once("close", (code, signal) => {
      resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
    });
  }

  /** Waits for a line `<word> <number>` of the script, and returns the number. */
  said(word: string): Promise<number> {
    return until(`"${word}" in ${JSON.stringify(this.stdout)}`, () => {
      const found = new RegExp(`${word} (\\d+)\\s`).exec(this.stdout);
      return found && Number(found[1]);
    });
  }
}

describe("the bootstrap", function () {
  this.timeout(60_000);
  let root: string;

  function makeProject(): void {
    root = mkdtempSync(join(tmpdir(), "fleetport-bootstrap-"));
    writeProject();
  }

  const removeProject = () => rmSync(root, { recursive: true });

  function write(path: string, content: string | object): void {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  }

  /** A project whose packages lie in its own folder: `node` (this Node), `greeting`, and for development `tool`. */
  function writeProject(greeting = "1.0.0", node: Readonly<Record<string, unknown>> = {}): void {
    const dependencies = { node: "file:packages/node", greeting: "file:packages/greeting" };
    const devDependencies = { tool: "file:packages/tool" };
    const manifest = { name: "sample", version: "1.0.0", dependencies, devDependencies };
    mkdirSync(join(root, "bin"), { recursive: true });
    copyFileSync(BOOTSTRAP, join(root, "bin", "bootstrap.mjs"));
    write("package.json", {
      ...manifest,
      type: "module",
      scripts: { start: SCRIPTS.start?.replace("bin/fleetport.ts up", "script.ts") },
      allowScripts: { node: true },
    });
    write("package-lock.json", {
      name: "sample",
      version: "1.0.0",
      lockfileVersion: 3,
      requires: true,
      packages: {
        "": manifest,
        "node_modules/greeting": { resolved: "packages/greeting", link: true },
        "node_modules/node": { resolved: "packages/node", link: true },
        "node_modules/tool": { resolved: "packages/tool", link: true, dev: true },
        "packages/greeting": { version: greeting },
        "packages/node": {
          version: "1.0.0",
          bin: { node: "bin/node" },
          ...(node.scripts ? { hasInstallScript: true } : {}),
        },
        "packages/tool": { version: "1.0.0", dev: true },
      },
    });
    write("packages/greeting/package.json", { name: "greeting", version: greeting });
    write("packages/tool/package.json", { name: "tool", version: "1.0.0" });
    write("packages/node/package.json", {
      name: "node",
      version: "1.0.0",
      bin: { node: "bin/node" },
      ...node,
    });
    write("packages/node/node", `#!/bin/sh\nexec '${process.execPath}' "$@"\n`);
    chmodSync(join(root, "packages/node/node"), 0o755);
    rmSync(join(root, "packages/node/bin"), { recursive: true, force: true });
    mkdirSync(join(root, "packages/node/bin"));
    if (!node.scripts) copyFileSync(join(root, "packages/node/node"), join(root, "packages/node/bin/node"));
    write("script.ts", 'console.log("pid " + (process.pid as number));');
  }

  /** Runs the bootstrap on the machine's Node. */
  function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Run {
    return new Run(root, "node", ["bin/bootstrap.mjs", ...args], env);
  }

  const INSTALLED = /^Installing dependencies with npm ci \((.+)\) \.\.\. done in \d+\.\d s\n$/;

  const hang = 'console.log("ready " + process.pid); setInterval(() => {}, 1000);';

  /** Says how many signals came in the time in which a second one would have come, and ends with exit code 3. */
  const countSignals = `
    let count = 0;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      process.on(signal, () => {
        count += 1;
        if (count > 1) return;
        setTimeout(() => { console.log(\`\${signal} \${count}\`); process.exit(3); }, 300);
      });
    }
    console.log(\`ready \${process.pid}\`);
    setInterval(() => {}, 1000);`;

  /** Runs a shell command on a pseudo-terminal of its own, whose keyboard is the child's stdin. */
  function inTerminal(command: string): Run {
    const args =
      process.platform === "linux"
        ? ["-qec", command, "/dev/null"]
        : ["-q", "/dev/null", "sh", "-c", command];
    return new Run(root, "script", args);
  }

  it("is what every npm script runs, with no shell in between that would keep signals to itself", () => {
    for (const script of Object.values(SCRIPTS)) assert.match(script, /^exec node bin\/bootstrap\.mjs /);
  });

  describe("in a new project", () => {
    beforeEach(makeProject);
    afterEach(removeProject);

    it("installs what is missing, and says so in one line with the time it took", async () => {
      const first = await start(["script.ts"]).ended;
      assert.match(first.stderr, INSTALLED);
      assert.match(first.stdout, /^pid \d+\n$/);
      assert.equal(first.code, 0);
    });

    it("does not install twice, whatever the times of the files are", async () => {
      await start(["script.ts"]).ended;
      const later = new Date(Date.now() + 3_600_000);
      utimesSync(join(root, "package-lock.json"), later, later);
      const second = await start(["script.ts"]).ended;
      assert.equal(second.stderr, "");
      assert.equal(second.code, 0);
    });

    it("installs again when package-lock.json has changed", async () => {
      await start(["script.ts"]).ended;
      writeProject("1.0.1");
      const second = await start(["script.ts"]).ended;
      assert.match(second.stderr, INSTALLED);
      assert.match(second.stderr, /greeting is not as package-lock\.json has it/);
      assert.equal((await start(["script.ts"]).ended).stderr, "");
    });

    it("installs again when an earlier installation was cut off", async () => {
      await start(["script.ts"]).ended;
      rmSync(join(root, "node_modules", ".package-lock.json"));
      assert.match((await start(["script.ts"]).ended).stderr, INSTALLED);
    });

    it("leaves development packages out in production, and brings them when they are asked for", async () => {
      const production = { NODE_ENV: "production" };
      assert.equal((await start(["script.ts"], production).ended).code, 0);
      assert.ok(!existsSync(join(root, "node_modules", "tool")));
      assert.equal((await start(["script.ts"], production).ended).stderr, "");
      assert.match((await start(["--include=dev", "script.ts"], production).ended).stderr, INSTALLED);
      assert.ok(existsSync(join(root, "node_modules", "tool")));
      assert.equal((await start(["script.ts"], production).ended).stderr, "");
    });

    it("installs on the project's own Node as on the machine's", async () => {
      const run = () => new Run(root, process.execPath, ["bin/bootstrap.mjs", "script.ts"]).ended;
      assert.match((await run()).stderr, INSTALLED);
      assert.equal((await run()).code, 0);
    });

    it("works as npm's start script, which puts node_modules/.bin first on the path", async () => {
      const first = await new Run(root, "npm", ["start", "--silent"]).ended;
      assert.match(first.stderr, INSTALLED);
      writeProject("1.0.1");
      const second = await new Run(root, "npm", ["start", "--silent"]).ended;
      assert.match(second.stderr, INSTALLED);
      assert.match(second.stdout, /^pid \d+\n$/);
    });

    it("fetches the project's Node where npm is told to run no install scripts", async () => {
      const preinstall = "cp node bin/node";
      writeProject("1.0.0", { scripts: { preinstall } });
      const run = await start(["script.ts"], { npm_config_ignore_scripts: "true" }).ended;
      assert.match(run.stderr, /\nInstalling Node for this machine \.\.\. done in \d+\.\d s\n$/);
      assert.match(run.stdout, /^pid \d+\n$/);
    });

    it("stops with a sentence when there is no Node for this machine", async () => {
      writeProject("1.0.0", { scripts: { preinstall: "true" } });
      const run = await start(["script.ts"]).ended;
      assert.equal(run.code, 1);
      assert.match(run.stderr, /\nFleetport's own Node is missing, .*: run `npm rebuild node/);
      assert.equal(run.stdout, "");
    });

    it("stops with a sentence and npm's own words when the installation fails", async () => {
      rmSync(join(root, "packages", "greeting"), { recursive: true });
      write("package.json", { name: "sample", dependencies: { elsewhere: "1.0.0" } });
      write("package-lock.json", {
        lockfileVersion: 3,
        packages: {
          "": { name: "sample", dependencies: { elsewhere: "1.0.0" } },
          "node_modules/elsewhere": { version: "1.0.0", resolved: "http://127.0.0.1:1/elsewhere-1.0.0.tgz" },
        },
      });
      const run = await start(["script.ts"], { npm_config_fetch_retries: "0" }).ended;
      assert.equal(run.code, 1);
      assert.match(run.stderr, /ECONNREFUSED/);
      assert.match(
        run.stderr,
        /\nThe dependencies could not be installed .* run the same command again\.\n$/,
      );
    });

    it("stops with a sentence without npm", async () => {
      const run = await new Run(root, process.execPath, ["bin/bootstrap.mjs", "script.ts"], {
        PATH: "/nowhere",
      }).ended;
      assert.equal(run.code, 1);
      assert.match(run.stderr, /npm could not be run .*: install npm, which comes with Node\.\n$/);
    });

    it("stops with its usage without a script", async () => {
      const run = await start([]).ended;
      assert.deepEqual(
        [run.code, run.stderr],
        [1, "Usage: node bin/bootstrap.mjs [--include=dev] <script> [arguments]\n"],
      );
    });

    it("ends by the signal that comes while npm installs, and leaves no process", async () => {
      writeProject("1.0.0", { scripts: { preinstall: "echo $$ > $INIT_CWD/installing; exec sleep 1000" } });
      const run = start(["script.ts"]);
      const installing = join(root, "installing");
      const pid = await until(
        "npm installs",
        () => existsSync(installing) && Number(readFileSync(installing, "utf8")),
      );
      run.child.kill("SIGTERM");
      const ended = await run.ended;
      assert.equal(ended.signal, "SIGTERM");
      assert.match(ended.stderr, /stopped after \d+\.\d s\n$/);
      assert.equal(ended.stdout, "");
      assert.ok(!isAlive(pid));
    });
  });

  describe("with a dashboard", () => {
    const BUILT = /^Building the dashboard \.\.\. done in \d+\.\d s\n$/;

    before(async () => {
      makeProject();
      await start(["script.ts"]).ended;
      write("public/index.html", "<title>one</title>");
      write("public/pages/a.ts", "export {}");
      writeVite();
    });

    after(removeProject);

    /** In place of Vite, which is the project's concern: says how it was called, and makes `dist/index.html`. */
    function writeVite(end = ""): void {
      write(
        "node_modules/vite/bin/vite.js",
        `import { mkdirSync, rmSync, writeFileSync } from "node:fs";
         console.log("args " + process.argv.slice(2));
         ${end}
         rmSync("dist", { recursive: true, force: true });
         mkdirSync("dist");
         writeFileSync("dist/index.html", process.cwd());`,
      );
      write("node_modules/vite/package.json", { type: "module" });
    }

    it("builds it, says so in one line with the time it took, and then runs the script", async () => {
      const run = await start(["script.ts"]).ended;
      assert.match(run.stderr, BUILT);
      assert.match(run.stdout, /^pid \d+\n$/);
      assert.ok(existsSync(join(root, "dist", "index.html")));
    });

    it("builds nothing and says nothing when no source has changed, whatever the times of the files are", async () => {
      const later = new Date(Date.now() + 3_600_000);
      utimesSync(join(root, "public/index.html"), later, later);
      assert.equal((await start(["script.ts"]).ended).stderr, "");
    });

    it("builds again after any source has changed, come or gone", async () => {
      const changes: readonly (() => void)[] = [
        () => write("public/index.html", "<title>two</title>"),
        () => write("public/pages/b/page.tsx", "export {}"),
        () => rmSync(join(root, "public/pages/a.ts")),
        () => write("lib/regions.ts", "export {}"),
        () => write("vite.config.ts", "export {}"),
      ];
      for (const change of changes) {
        change();
        assert.match((await start(["script.ts"]).ended).stderr, BUILT, String(change));
        assert.equal((await start(["script.ts"]).ended).stderr, "", String(change));
      }
    });

    it("builds again when the result is gone", async () => {
      rmSync(join(root, "dist"), { recursive: true });
      assert.match((await start(["script.ts"]).ended).stderr, BUILT);
    });

    it("does not build for tools that look at the sources", async () => {
      write("public/index.html", "<title>three</title>");
      write("node_modules/some-tool.mjs", 'console.log("looked");');
      const run = await start(["node_modules/some-tool.mjs"]).ended;
      assert.deepEqual([run.stdout, run.stderr], ["looked\n", ""]);
    });

    it("stops with a sentence and the build's own words when it fails, and tries again the next time", async () => {
      writeVite('console.error("no such tag"); process.exit(1);');
      for (const _ of [1, 2]) {
        const run = await start(["script.ts"]).ended;
        assert.equal(run.code, 1);
        assert.match(
          run.stderr,
          /failed after .*\nargs build,--logLevel=error\nno such tag\nThe dashboard could not be built/s,
        );
        assert.equal(run.stdout, "");
      }
      writeVite();
      assert.match((await start(["script.ts"]).ended).stderr, BUILT);
    });
  });

  describe("once everything is installed", () => {
    before(async () => {
      makeProject();
      await start(["script.ts"]).ended;
    });

    after(removeProject);

    it("runs TypeScript with the arguments as they are, and without warnings of experimental features", async () => {
      write(
        "script.ts",
        `await import("node:sqlite"); console.log(JSON.stringify(process.argv.slice(2) as unknown));`,
      );
      const run = await start(["script.ts", "up", "--flag", "a b", "$HOME", ""]).ended;
      assert.deepEqual(JSON.parse(run.stdout), ["up", "--flag", "a b", "$HOME", ""]);
      assert.equal(run.stderr, "");
    });

    it("passes standard input and the exit code on", async () => {
      write("script.ts", `process.stdin.on("data", (text: Buffer) => process.exit(Number(text)));`);
      const run = start(["script.ts"]);
      run.child.stdin?.end("42");
      assert.equal((await run.ended).code, 42);
    });

    it("finds the script from any folder", async () => {
      write("script.ts", 'console.log("here");');
      const run = await new Run(tmpdir(), "node", [join(root, "bin", "bootstrap.mjs"), "script.ts"]).ended;
      assert.equal(run.stdout, "here\n");
    });

    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      it(`passes ${signal} on once, and ends with the script's exit code`, async () => {
        write("script.ts", countSignals);
        const run = start(["script.ts"]);
        const pid = await run.said("ready");
        run.child.kill(signal);
        assert.deepEqual(await run.ended, {
          code: 3,
          signal: null,
          stdout: `ready ${pid}\n${signal} 1\n`,
          stderr: "",
        });
        assert.ok(!isAlive(pid));
      });

      it(`ends by ${signal} when the script does`, async () => {
        write("script.ts", hang);
        const run = start(["script.ts"]);
        const pid = await run.said("ready");
        run.child.kill(signal);
        assert.equal((await run.ended).signal, signal);
        assert.ok(!isAlive(pid));
      });
    }

    it("gives Ctrl-C on a terminal to the script exactly once, also under npm", async () => {
      write("script.ts", countSignals);
      const run = inTerminal("npm start --silent");
      const pid = await run.said("ready");
      run.child.stdin?.write("\x03");
      await run.ended;
      assert.match(run.stdout, /SIGINT 1\s*$/);
      assert.ok(!isAlive(pid));
    });

    it("leaves no process when npm is terminated", async () => {
      write("script.ts", hang);
      const run = new Run(root, "npm", ["start", "--silent"]);
      const pid = await run.said("ready");
      run.child.kill("SIGTERM");
      await run.ended;
      await until("the script has ended", () => !isAlive(pid));
    });

    it("leaves no process when its terminal goes away", async () => {
      write("script.ts", hang);
      const run = inTerminal("node bin/bootstrap.mjs script.ts");
      const pid = await run.said("ready");
      run.child.kill("SIGKILL");
      await until("the script has ended", () => !isAlive(pid));
    });
  });
});
