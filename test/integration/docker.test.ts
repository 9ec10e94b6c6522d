/** @module The containers' files, as far as they can be checked without containers. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { ensureNatsServer } from "../../bin/nats-server.ts";
import { readConfig } from "../../lib/config.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NATS = ["nats-1", "nats-2", "nats-3"];
const NODES = ["n1", "n2", "n3"];
const run = promisify(execFile);

interface ComposeService {
  readonly image: string;
  readonly build?: { readonly target: string };
  readonly user?: string;
  readonly restart?: string;
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly stop_grace_period?: string;
  readonly healthcheck?: { readonly test: readonly string[] };
}

interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** A step of a Dockerfile's stage: `["COPY", "bin ./bin"]`. */
type Step = readonly [instruction: string, rest: string];

describe("docker-compose.yml and the Dockerfile", () => {
  let compose: Compose;
  let stages: Map<string, Step[]>;

  before(async () => {
    // What compose puts in when the environment is empty.
    const text = (await readFile(join(ROOT, "docker-compose.yml"), "utf8")).replaceAll(
      /\$\{\w+:-([^}]*)\}/g,
      "$1",
    );
    compose = parse(text, { merge: true }) as Compose;
    stages = readStages(await readFile(join(ROOT, "Dockerfile"), "utf8"));
  });

  const each = () => Object.entries(compose.services);
  const stage = (name: string): Step[] => {
    const found = stages.get(name);
    assert.ok(found, `the Dockerfile has a stage ${name}`);
    return found;
  };
  const last = (steps: readonly Step[], instruction: string) =>
    steps.findLast(([name]) => name === instruction)?.[1];

  // Newer versions of the docker CLI bring compose along; nobody installs it for this test.
  if (spawnSync("docker", ["compose", "version"]).status === 0) {
    it("are what docker compose understands", async () => {
      await run("docker", ["compose", "--file", join(ROOT, "docker-compose.yml"), "config", "--quiet"]);
    });
  }

  it("describe three NATS servers, Postgres, Redis and three nodes", () => {
    assert.deepEqual(Object.keys(compose.services).sort(), [...NATS, ...NODES, "postgres", "redis"].sort());
  });

  it("give every service a health check, a restart policy, and an ordinary user", () => {
    for (const [name, service] of each()) {
      assert.ok((service.healthcheck?.test.length ?? 0) > 1, `${name} has a health check`);
      assert.equal(service.restart, "unless-stopped", name);
      const user = service.user ?? last(stage(service.build?.target ?? ""), "USER");
      assert.ok(user && !/^(root|0)\b/.test(user), `${name} runs as ${user}`);
    }
  });

  it("keep the data of every service in a named volume of its own", () => {
    const used = each().flatMap(([, { volumes }]) => volumes?.map((volume) => volume.split(":")[0]) ?? []);
    assert.equal(used.length, each().length);
    assert.deepEqual([...used].sort(), Object.keys(compose.volumes).sort());
  });

  it("publish nothing but the nodes' web ports, and these on the host's loopback only", () => {
    for (const [name, { ports = [] }] of each()) {
      const node = NODES.indexOf(name) + 1;
      assert.deepEqual(ports, node > 0 ? [`127.0.0.1:${4000 + node}:4000`] : [], name);
    }
  });

  it("start a node when the servers are well, and give it more time to stop than it takes to drain", () => {
    for (const name of NODES) {
      const { depends_on = {}, stop_grace_period = "", environment = {} } = compose.services[name]!;
      for (const server of [...NATS, "postgres"]) {
        assert.equal(depends_on[server]?.condition, "service_healthy", `${name} waits for ${server}`);
      }
      assert.ok(Number.parseInt(stop_grace_period, 10) * 1000 > Number(environment.FLEET_DRAIN_TIMEOUT_MS));
    }
  });

  it("give every node an environment that it accepts, and an id of its own", () => {
    for (const name of NODES) {
      // Compose hands every value on as text.
      const values = Object.entries(compose.services[name]?.environment ?? {});
      const config = readConfig(Object.fromEntries(values.map(([key, value]) => [key, String(value)])));
      assert.equal(config.mode, "distributed");
      assert.equal(config.nodeId, name);
      assert.equal(config.natsUrl, NATS.map((server) => `nats://${server}:4222`).join(","));
      assert.match(config.databaseUrl ?? "", /@postgres:5432\/fleetport$/);
      assert.equal(config.redisUrl, "redis://redis:6379");
    }
  });

  it("give every NATS server a configuration that it accepts, and that syncs every write", async () => {
    const file = join(ROOT, "docker", "nats.conf");
    const program = await ensureNatsServer();
    for (const name of NATS) {
      const { environment } = compose.services[name]!;
      assert.equal(environment?.NATS_SERVER_NAME, name);
      await run(program, ["-c", file, "-t"], { env: { ...process.env, NATS_SERVER_NAME: name } });
    }
    const text = await readFile(file, "utf8");
    assert.match(text, /^ +sync_interval: always$/m);
    for (const name of NATS) assert.ok(text.includes(`nats://${name}:6222`), `${name} is a route`);
  });

  it("put no secret into an image", () => {
    for (const [instruction, rest] of [...stages.values()].flat()) {
      if (["ENV", "ARG"].includes(instruction)) assert.doesNotMatch(rest, /password|secret|token|key|_url/i);
    }
  });

  it("put into the image all that a node needs to start, and nothing that .dockerignore keeps back", async () => {
    const ignore = (await readFile(join(ROOT, ".dockerignore"), "utf8")).split("\n");
    const folder = await mkdtemp(join(tmpdir(), "fleet-image-"));
    try {
      for (const [instruction, rest] of stage("fleetport")) {
        if (instruction !== "COPY" || rest.startsWith("--from")) continue;
        const [target = "", ...sources] = rest.split(/\s+/).reverse();
        for (const source of sources) {
          assert.ok(ignore.includes(`!${source}`), `.dockerignore lets ${source} through`);
          const to = target.endsWith("/") ? join(folder, target, source) : join(folder, target);
          await cp(join(ROOT, source), to, { recursive: true });
        }
      }
      await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
      const [node, ...args] = JSON.parse(last(stage("fleetport"), "CMD") ?? "[]") as string[];
      assert.equal(node, "node");
      // Without NATS_URL it ends with a sentence of its own: every module that it needs was there to say it.
      const env = { PATH: process.env.PATH };
      const failure = await run(process.execPath, args, { cwd: folder, env }).catch(
        (error: unknown) => error,
      );
      assert.match(String((failure as { stderr?: string }).stderr), /^NATS_URL is required/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** The steps of each named stage, continued lines joined, comments left out. */
function readStages(text: string): Map<string, Step[]> {
  const found = new Map<string, Step[]>();
  let steps: Step[] = [];
  for (const line of text.replaceAll(/\\\n\s*/g, "").split("\n")) {
    const [, instruction, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (instruction === undefined || rest === undefined) continue;
    const name = instruction === "FROM" ? / AS (\S+)$/.exec(rest)?.[1] : undefined;
    if (name !== undefined) {
      steps = [];
      found.set(name, steps);
    } else steps.push([instruction, rest]);
  }
  return found;
}
