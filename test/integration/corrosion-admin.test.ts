/** @module The admin-socket client against bytes cut anywhere, garbage, silence and early ends. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { AdminConnection, AdminRefusal, askAdmin } from "../../lib/corrosion/client/admin.ts";
import { FrameDecoder, MAX_FRAME_BYTES } from "../../lib/corrosion/client/admin-frames.ts";
import { AgentError, type AgentErrorKind } from "../../lib/corrosion/client/errors.ts";
import type { Json } from "../../lib/corrosion/client/json.ts";
import { type AdminServer, frame, startAdminServer } from "../helpers/admin-server.ts";
import { until } from "../helpers/until.ts";

const LOG = '{"Log":{"level":"info","msg":"gathering","ts":[2026,1,2]}}';
const ok = (...values: string[]) => [LOG, ...values.map((value) => `{"Json":${value}}`), LOG, '"Success"'];

/** The bytes in pieces, cut at these places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at]
    .map((from, i) => bytes.subarray(from, at[i] ?? bytes.length))
    .filter(({ length }) => length > 0);
}

const framed = (replies: readonly string[]) => Buffer.concat(replies.map(frame));

describe("The admin-socket client", () => {
  let server: AdminServer;

  before(async () => {
    server = await startAdminServer();
  });
  after(() => server.stop());

  async function kindOf(asked: Promise<unknown>): Promise<AgentErrorKind> {
    const error: unknown = await asked.then(
      () => assert.fail("it was answered"),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof AgentError, String(error));
    return error.kind;
  }

  it("reads answers wherever they are cut, keeps 64-bit integers, and leaves log lines out", async () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.constant("\u{1F600}\n{}"));
    const value = fc.oneof(
      fc.dictionary(text, text),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
      fc.array(fc.integer()),
    );
    const render = (one: unknown) => (typeof one === "bigint" ? `{"ts":${one}}` : JSON.stringify(one));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(value), { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat()),
        async (answers, places) => {
          let next = 0;
          server.answer = () => ({ pieces: cut(framed(ok(...answers[next++]!.map(render))), places) });
          const commands = answers.map(() => ({ Cluster: "Members" }) as const);
          const got = await askAdmin({ path: server.path }, commands);
          const wanted = answers.map((list) =>
            list.map((one) => (typeof one === "bigint" ? { ts: one } : one)),
          );
          assert.deepEqual(JSON.stringify(got, big), JSON.stringify(wanted, big));
        },
      ),
      { numRuns: 60 },
    );
    await until("no connection stays open", () => server.connections === 0);
  });

  const big = (_key: string, one: unknown) => (typeof one === "bigint" ? `${one}n` : one);

  it("never hangs or crashes on garbage: it answers, or fails with a typed error", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
          fc
            .array(
              fc.oneof(
                fc.json(),
                fc.string(),
                fc.constantFrom(...ok("1"), '{"Error":{"msg":"no"}}', '{"Error":7}'),
              ),
              { maxLength: 5 },
            )
            .map(framed),
        ),
        fc.array(fc.nat()),
        fc.boolean(),
        async (bytes, places, end) => {
          server.answer = () => ({ pieces: cut(bytes, places), end });
          const asked = askAdmin({ path: server.path, timeoutMs: 60 }, ["Ping"]);
          const outcome = await asked.then(
            () => null,
            (error: unknown) => error,
          );
          assert.ok(
            outcome === null || outcome instanceof AgentError || outcome instanceof AdminRefusal,
            String(outcome),
          );
        },
      ),
      { numRuns: 100 },
    );
    await until("no connection stays open", () => server.connections === 0);
  });

  it("goes on after a refusal, and answers commands that were given at once in their order", async () => {
    server.answer = (command) => ({
      pieces: [
        framed(
          command === '"Ping"'
            ? ok()
            : command === '"Reload"'
              ? ['{"Json":1}', '{"Error":{"msg":"bad schema"}}']
              : ok('{"a":1}'),
        ),
      ],
    });
    const connection = await AdminConnection.open({ path: server.path });
    const [ping, reload, members] = await Promise.allSettled([
      connection.command("Ping"),
      connection.command("Reload"),
      connection.command({ Cluster: "Members" }),
    ]);
    connection.close();
    assert.deepEqual(ping, { status: "fulfilled", value: [] });
    assert.ok(reload.status === "rejected" && reload.reason instanceof AdminRefusal);
    assert.equal(reload.reason.message, "bad schema");
    assert.deepEqual(members, { status: "fulfilled", value: [{ a: 1 }] satisfies Json[] });
    assert.equal(await kindOf(connection.command("Ping")), "unreachable");
  });

  it("fails typed: nobody there, silence, half an answer, an early end, no frame, no JSON", async () => {
    const ask = () => askAdmin({ path: server.path, timeoutMs: 100 }, ["Ping"]);
    assert.equal(await kindOf(askAdmin({ path: `${server.path}.none` }, ["Ping"])), "unreachable");
    server.answer = () => ({ pieces: [] });
    assert.equal(await kindOf(ask()), "timeout");
    server.answer = () => ({ pieces: [framed(ok("1")).subarray(0, -3)] });
    assert.equal(await kindOf(ask()), "timeout");
    server.answer = () => ({ pieces: [framed(ok("1")).subarray(0, -3)], end: true });
    assert.equal(await kindOf(ask()), "incomplete");
    server.answer = () => ({ pieces: [], end: true });
    assert.equal(await kindOf(ask()), "unreachable");
    const tooLong = Buffer.alloc(4);
    tooLong.writeUInt32BE(MAX_FRAME_BYTES + 1);
    server.answer = () => ({ pieces: [tooLong] });
    assert.equal(await kindOf(ask()), "protocol");
    for (const bad of ["{", '{"Odd":1}', "7", '{"Json":1,"Log":2}']) {
      server.answer = () => ({ pieces: [frame(bad)] });
      assert.equal(await kindOf(ask()), "protocol", bad);
    }
  });

  it("says in one sentence that a path is too long for a socket", async () => {
    const path = `/tmp/${"x".repeat(110)}/admin.sock`;
    await assert.rejects(askAdmin({ path }, ["Ping"]), /longer than 107 bytes.*choose a shorter DATA_DIR/);
  });

  it("takes frames of many megabytes", () => {
    const decoder = new FrameDecoder();
    const text = JSON.stringify({ Json: "x".repeat(20_000_000) });
    const bytes = frame(text);
    const got: string[] = [];
    for (let at = 0; at < bytes.length; at += 65_536)
      got.push(...decoder.push(bytes.subarray(at, at + 65_536)));
    assert.equal(got.length, 1);
    assert.equal(got[0]!.length, text.length);
    assert.equal(decoder.partial, false);
  });
});
