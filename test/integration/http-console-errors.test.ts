/** @module What the console's routes refuse, whom, and in which form. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { hostname } from "node:os";
import fc from "fast-check";
import { type Context, Errors } from "moleculer";
import { CorrosionError, FAILURE_STATUS, type FailureType } from "../../lib/corrosion/failures.ts";
import { CONSOLE_ROUTES } from "../../services/gateway/routes/console.ts";
import { type Actions, ALL_WELL, actors, ask, type Reply, targetOf } from "../helpers/console.ts";
import { startGateway, type TestGateway } from "../helpers/gateway.ts";

const MICROS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const CHANGES = CONSOLE_ROUTES.filter(({ writes }) => writes);
const WITH_BODY = CHANGES.filter(({ method }) => method !== "DELETE");
const bodyOf = ({ method }: { readonly method: string }) =>
  method === "POST" || method === "PUT" ? {} : undefined;

function assertFailure({ status, body, text }: Reply, wanted: number, code: string): void {
  assert.deepEqual([status, body.code], [wanted, code], text);
  assert.equal(body.status, "error");
  assert.match(String(body.error), /^\S.*/);
  assert.match(String(body.timestamp), MICROS);
  const known = ["status", "code", "error", "timestamp", "retry_after_ms"];
  assert.deepEqual(
    Object.keys(body).filter((name) => !known.includes(name)),
    [],
  );
}

function assertBadRequest({ status, body, text }: Reply, fields: readonly string[]): void {
  assert.equal(status, 400, text);
  assert.deepEqual(Object.keys(body), ["errors", "fields"]);
  assert.deepEqual(body.errors, { detail: "Bad Request" });
  assert.deepEqual(Object.keys(body.fields as object), fields);
}

let gate: TestGateway | undefined;
afterEach(async () => {
  await gate?.stop();
  gate = undefined;
});

async function over(actions: Actions, env: Readonly<Record<string, string>> = {}): Promise<TestGateway> {
  gate = await startGateway({ services: actors({ ...ALL_WELL, ...actions }), env });
  return gate;
}

/** Every action of the room does the same. */
const all = (handler: (ctx: Context) => unknown): Actions =>
  Object.fromEntries(Object.keys(ALL_WELL).map((name) => [name, handler]));

describe("A console route whose actor refuses", () => {
  for (const type of Object.keys(FAILURE_STATUS) as FailureType[]) {
    if (type === "invalid_request") continue;
    it(`with ${type} is answered with ${FAILURE_STATUS[type]}, its code and its sentence`, async () => {
      const gate = await over(
        all(() => {
          throw new CorrosionError(type, "what was wrong");
        }),
      );
      for (const route of CONSOLE_ROUTES) {
        const reply = await ask(gate, targetOf(route), bodyOf(route));
        assertFailure(reply, FAILURE_STATUS[type], type);
        assert.equal(reply.body.error, "what was wrong");
        assert.equal(reply.headers.get("retry-after"), reply.status === 503 ? "1" : null);
      }
      assert.deepEqual(gate.errors, []);
    });
  }

  it("with invalid_request is answered with Bad Request and its fields", async () => {
    const fields = { hosts: '"a b" is no host' };
    const gate = await over({
      "corrosion.config.applyBootstrap": () => {
        throw new CorrosionError("invalid_request", "a host is wrong", { fields });
      },
      "corrosion.coordinator.update": () => {
        throw new CorrosionError("invalid_request", "no nodes are named");
      },
    });
    const reply = await ask(gate, "PUT /api/config/bootstrap", { hosts: "a b" });
    assertBadRequest(reply, ["hosts"]);
    assert.deepEqual(reply.body.fields, fields);
    const other = await ask(gate, "POST /api/config/cluster", {});
    assertBadRequest(other, ["body"]);
  });

  it("by its params is answered with Bad Request and, for each field, what it must be", async () => {
    const gate = await over({
      "corrosion.query.run": {
        params: {
          sql: "string",
          params: "array",
          mode: { type: "enum", values: ["read", "write"] },
          limit: { type: "number", integer: true, min: 1 },
          run_id: { type: "string", max: 2 },
        },
        handler: () => ({}),
      },
    });
    const wrong = { sql: 5, mode: "both", limit: 0.5, run_id: "long" };
    const reply = await ask(gate, "POST /api/console/run", wrong);
    assertBadRequest(reply, ["sql", "params", "mode", "limit", "run_id"]);
    assert.deepEqual(reply.body.fields, {
      sql: "must be a text",
      params: "is required",
      mode: "must be one of read, write",
      limit: "must be at least 1",
      run_id: "must have at most 2 characters",
    });
    // What cannot be made into text is wrong as anything else is.
    for (const name of ["toString", "valueOf", "__proto__", "toJSON"]) {
      for (const value of ["false", "null", "{}"]) {
        const hostile = `{"sql": [{"${name}": ${value}}], "params": [], "limit": 1, "run_id": "", "mode": {"${name}": ${value}}}`;
        const { status, body } = await ask(gate, "POST /api/console/run", hostile);
        assert.deepEqual(
          [status, body.fields],
          [400, { sql: "must be a text", mode: "must be one of read, write" }],
        );
      }
    }
    assert.deepEqual(gate.errors, []);
    await gate.stop();

    const hosts = [{ type: "string" }, { type: "array", items: "string" }];
    const other = await over({
      "corrosion.config.applyBootstrap": { params: { hosts }, handler: () => ({}) },
    });
    for (const [given, fields] of [
      [5, { hosts: "must be a text, or must be a list" }],
      [["a:1", 5], { "hosts[1]": "must be a text" }],
    ]) {
      const { body } = await ask(other, "PUT /api/config/bootstrap", { hosts: given });
      assert.deepEqual(body.fields, fields);
    }
  });

  it("with what nobody foresaw is answered with 500, logs the cause and shows none of it", async () => {
    const gate = await over(
      all(() => {
        throw new TypeError("secret detail");
      }),
    );
    for (const route of CONSOLE_ROUTES) {
      const reply = await ask(gate, targetOf(route), bodyOf(route));
      assertFailure(reply, 500, "internal_error");
      assert.ok(!reply.text.includes("secret"));
    }
    assert.equal(gate.errors.length, CONSOLE_ROUTES.length);
    assert.ok(gate.errors.every((line) => line.includes("secret detail")));
  });

  it("by not answering in time is answered with 504, and says whether something may have been done", async () => {
    const gate = await over(
      all((ctx) => {
        throw new Errors.RequestTimeoutError({ action: ctx.action?.name ?? "", nodeID: "n" });
      }),
    );
    for (const route of CONSOLE_ROUTES) {
      const reply = await ask(gate, targetOf(route), bodyOf(route));
      assertFailure(reply, 504, "timeout");
      assert.match(String(reply.body.error), route.writes ? /may have been done/ : /nothing was changed/);
    }
  });

  it("by not being there is answered with 503 and the time to try again", async () => {
    gate = await startGateway();
    for (const route of CONSOLE_ROUTES) {
      const reply = await ask(gate, targetOf(route), bodyOf(route));
      assertFailure(reply, 503, "service_unavailable");
      assert.equal(reply.headers.get("retry-after"), "1");
    }
    assert.deepEqual(gate.errors, []);
  });

  it("by CORROSION_MODE=off is answered with 503, and why it will not be there soon", async () => {
    gate = await startGateway({ env: { CORROSION_MODE: "off" } });
    for (const route of CONSOLE_ROUTES) {
      const reply = await ask(gate, targetOf(route), bodyOf(route));
      assertFailure(reply, 503, "service_unavailable");
      assert.match(String(reply.body.error), /CORROSION_MODE=off/);
    }
    assert.deepEqual(gate.errors, []);
  });

  it("while it refreshes shows what is known, and leaves no rejection behind", async () => {
    const gate = await over({
      "corrosion.discovery.refresh": () => Promise.reject(new Error("the DNS is away")),
    });
    assert.equal((await ask(gate, "POST /api/cluster/dns/refresh")).status, 202);
  });

  it("does not hold up who refreshes, however long it takes", async () => {
    const never = () => new Promise(() => {});
    const gate = await over({
      "corrosion.discovery.refresh": never,
      "corrosion.members.refresh": never,
    });
    const began = performance.now();
    for (const { method, path } of CONSOLE_ROUTES) {
      if (!path.endsWith("/refresh")) continue;
      assert.equal((await ask(gate, `${method} ${path}`)).status, 202);
    }
    assert.ok(performance.now() - began < 5000);
  });
});

describe("A console request that cannot be taken", () => {
  for (const [what, body, field] of [
    ["no JSON", "{", "body"],
    ["a word", "hosts", "body"],
    ["a list", [], "body"],
    ["null", null, "body"],
    ["a number", 5, "body"],
  ] as const) {
    it(`because its body is ${what} is 400 Bad Request, and nothing is asked`, async () => {
      let asked = 0;
      const gate = await over(
        all(() => {
          asked += 1;
        }),
      );
      for (const route of WITH_BODY) assertBadRequest(await ask(gate, targetOf(route), body), [field]);
      assert.equal(asked, 0);
    });
  }

  it("because of its query is 400 Bad Request", async () => {
    const gate = await over({});
    for (const query of ["limit=x", "limit=", "limit=1&limit=2", "limit=%zz", "limit=1.5"]) {
      assertBadRequest(await ask(gate, `GET /api/agent/logs?${query}`), ["query"]);
    }
  });

  it("because its body is over 1 MiB is 413, and because it cannot be unpacked is 415", async () => {
    const gate = await over({});
    const large = await ask(gate, "POST /api/console/run", { sql: "x".repeat(1024 * 1024) });
    assertFailure(large, 413, "content_too_large");
    const packed = await ask(gate, "POST /api/console/run", {}, { "content-encoding": "x-rar" });
    assertFailure(packed, 415, "unsupported_encoding");
  });

  it("because its path is none is 404 Not Found", async () => {
    const gate = await over({});
    for (const target of [
      "GET /api/agents",
      "GET /api/node/x",
      "PATCH /api/config/bootstrap",
      "DELETE /api/config/bootstrap",
      "DELETE /api/console/run",
      "GET /api/cluster",
      "GET /api/Cluster/dns",
      "POST /api/cluster/dns",
      "GET /corrosion.agent/status",
    ]) {
      const { status, body } = await ask(gate, target);
      assert.deepEqual([status, body], [404, { errors: { detail: "Not Found" } }], target);
    }
  });

  it("because its id is not decodable is 400, and a strange one arrives as it was meant", async () => {
    const ids: unknown[] = [];
    const gate = await over({ "corrosion.query.cancel": (ctx: Context) => ids.push(ctx.params) && {} });
    assert.equal((await ask(gate, "DELETE /api/console/run/%zz")).status, 400);
    for (const id of [
      "../../agent",
      "'; DROP TABLE x",
      "__proto__",
      "\u0000",
      "é\u{1F600}",
      "a".repeat(4000),
    ]) {
      await ask(gate, `DELETE /api/console/run/${encodeURIComponent(id)}`);
      assert.deepEqual(ids.pop(), { run_id: id });
    }
  });

  it("beyond its rate is 429 in the console's form", async () => {
    const gate = await over({}, { FLEET_RATE_LIMIT: "1" });
    assert.equal((await ask(gate, "GET /api/agent")).status, 200);
    const refused = await ask(gate, "GET /api/agent");
    assertFailure(refused, 429, "rate_limited");
    assert.ok(Number(refused.headers.get("retry-after")) > 0);
  });

  it("whatever JSON it brings, is answered in one of the console's forms", async function () {
    this.timeout(60_000);
    const gate = await over({
      "corrosion.query.run": {
        params: { sql: "string", limit: { type: "number", integer: true, optional: true } },
        handler: () => ({}),
      },
    });
    await fc.assert(
      fc.asyncProperty(
        fc.jsonValue(),
        fc.constantFrom("sql", "limit", "__proto__", "x"),
        async (value, name) => {
          const body = JSON.stringify({ sql: "SELECT 1" }).replace(
            "}",
            `,${JSON.stringify(name)}:${JSON.stringify(value)}}`,
          );
          const reply = await ask(gate, "POST /api/console/run", body);
          if (reply.status !== 200) assertBadRequest(reply, Object.keys(reply.body.fields as object));
        },
      ),
      { numRuns: 100 },
    );
    assert.deepEqual(gate.errors, []);
  });
});

describe("A change at the console", () => {
  const TOKEN = "t0ken-of-the-console";
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  it("needs the token where there is one, and nothing is asked before", async () => {
    let asked = 0;
    const counted = () => {
      asked += 1;
      return {};
    };
    const gate = await over(all(counted), { CONSOLE_TOKEN: TOKEN });
    for (const route of CHANGES) {
      for (const headers of [
        {},
        bearer(""),
        bearer("wrong"),
        bearer(TOKEN.slice(0, -1)),
        bearer(`${TOKEN}x`),
        { authorization: TOKEN },
        { authorization: `Basic ${TOKEN}` },
        { "x-fleetport-token": TOKEN },
      ] as Record<string, string>[]) {
        const reply = await ask(gate, targetOf(route), bodyOf(route), headers);
        assertFailure(reply, 401, "unauthorized");
        assert.match(reply.headers.get("www-authenticate") ?? "", /^Bearer/);
        assert.ok(!reply.text.includes(TOKEN));
      }
      assert.equal(asked, 0);
    }
  });

  it("passes with the token, in any case of the scheme, and looking needs none", async () => {
    const gate = await over({}, { CONSOLE_TOKEN: TOKEN });
    for (const route of CONSOLE_ROUTES) {
      const headers = route.writes ? bearer(TOKEN) : undefined;
      const { status } = await ask(gate, targetOf(route), bodyOf(route), headers);
      assert.ok([200, 202].includes(status), targetOf(route));
    }
    const lower = { authorization: `bearer ${TOKEN}` };
    assert.equal((await ask(gate, "POST /api/agent/restart", {}, lower)).status, 202);
  });

  it("from a page of another origin is 403, with or without the token", async () => {
    const gate = await over(
      {},
      { CONSOLE_TOKEN: TOKEN, ALLOWED_ORIGINS: "https://ops.example, http://b.example:81" },
    );
    const port = new URL(gate.url).port;
    for (const origin of [
      "https://evil.example",
      "null",
      "",
      "https://ops.example.evil.example",
      "http://ops.example",
      "http://b.example",
      `https://evil.example:${port}`,
      `http://127.0.0.1:${Number(port) - 1}`,
      "ftp://127.0.0.1",
      "not an origin",
    ]) {
      for (const route of CHANGES) {
        const reply = await ask(gate, targetOf(route), bodyOf(route), { origin, ...bearer(TOKEN) });
        assertFailure(reply, 403, "foreign_origin");
        assert.equal(reply.headers.get("access-control-allow-origin"), null);
      }
    }
  });

  it("passes from the node's own pages, from allowed origins, and from programs", async () => {
    const gate = await over({}, { ALLOWED_ORIGINS: "https://ops.example, http://b.example:81/" });
    for (const origin of [gate.url, "https://ops.example", "http://b.example:81", "HTTPS://OPS.EXAMPLE"]) {
      const reply = await ask(gate, "POST /api/agent/restart", {}, { origin });
      assert.equal(reply.status, 202, origin);
      assert.equal(reply.headers.get("access-control-allow-origin"), origin);
      assert.match(reply.headers.get("vary") ?? "", /Origin/);
    }
    assert.equal((await ask(gate, "POST /api/agent/restart", {})).status, 202);
  });

  /** The status of a change that a page of this origin asks for under a name of the node's. */
  async function changed(port: number, host: string, origin: string): Promise<number | undefined> {
    const headers = { host, origin };
    const asked = request({ host: "127.0.0.1", port, path: "/api/agent/restart", method: "POST", headers });
    const answered = once(asked, "response") as Promise<[IncomingMessage]>;
    asked.end("{}");
    const [response] = await answered;
    response.resume();
    return response.statusCode;
  }

  it("is 403 from a stranger's name that leads to this machine, and passes from the node's own names", async () => {
    const gate = await over({}, { ALLOWED_ORIGINS: "https://console.example", FLY_APP_NAME: "our-app" });
    const { port } = gate;
    for (const [host, origin, status] of [
      ["evil.example", "http://evil.example", 403],
      [`evil.example:${port}`, `http://evil.example:${port}`, 403],
      ["localhost.evil.example", "http://localhost.evil.example", 403],
      ["our-app.fly.dev.evil.example", "http://our-app.fly.dev.evil.example", 403],
      [`localhost:${port}`, `http://localhost:${port}`, 202],
      [`LOCALHOST:${port}`, `http://localhost:${port}`, 202],
      [`[::1]:${port}`, `http://[::1]:${port}`, 202],
      ["10.1.2.3", "https://10.1.2.3", 202],
      [`${hostname()}:${port}`, `http://${hostname()}:${port}`.toLowerCase(), 202],
      ["our-app.fly.dev", "https://our-app.fly.dev", 202],
      // A proxy passes its own name on, or the node's.
      ["console.example", "https://console.example", 202],
      [`127.0.0.1:${port}`, "https://console.example", 202],
    ] as const) {
      assert.equal(await changed(port, host, origin), status, `${origin} at ${host}`);
    }
  });

  it("has no rule for the fleet's routes", async () => {
    gate = await startGateway({
      services: [{ name: "sessions", actions: { archive: () => null } }],
      env: { CONSOLE_TOKEN: TOKEN },
    });
    const response = await fetch(`${gate.url}/api/sessions/s`, {
      method: "DELETE",
      headers: { origin: "https://evil.example" },
    });
    assert.equal(response.status, 204);
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
  });
});

describe("What the console answers", () => {
  it("is read by the node's own pages and those of allowed origins, and by no other page", async () => {
    const gate = await over({}, { ALLOWED_ORIGINS: "https://ops.example" });
    for (const target of ["GET /api/agent", "GET /api/agent/logs?limit=x", "GET /api/config/bootstrap"]) {
      const by = async (origin: string) =>
        (await ask(gate, target, undefined, { origin })).headers.get("access-control-allow-origin");
      assert.equal(await by("https://evil.example"), null);
      assert.equal(await by("https://ops.example"), "https://ops.example");
    }
  });
});
