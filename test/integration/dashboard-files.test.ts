/** @module The dashboard as a node serves it: pages, files, what browsers may keep, and what they may run. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import gatewayService from "../../services/gateway/gateway.service.ts";
import { PAGE_PATHS } from "../../services/gateway/pages.ts";
import { startGateway, type TestGateway, testBroker } from "../helpers/gateway.ts";

describe("The dashboard's files", () => {
  let gateway: TestGateway;
  let html: string;

  before(async () => {
    gateway = await startGateway();
    html = await (await fetch(gateway.url)).text();
  });
  after(() => gateway?.stop());

  const named = () => [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file!);

  it("answer every page, whatever its query, with the same document, asked about each time", async () => {
    for (const path of PAGE_PATHS) {
      const response = await fetch(`${gateway.url}${path}?experiment_id=a%2Fb`);
      assert.equal(response.status, 200, path);
      assert.match(response.headers.get("content-type") ?? "", /^text\/html/);
      assert.equal(response.headers.get("cache-control"), "no-cache");
      assert.equal(await response.text(), html, path);
    }
  });

  it("answer no path that only looks like a page", async () => {
    for (const path of [
      "/cluster/",
      "/Cluster",
      "/clusters",
      "/cluster.html",
      "/assets/",
      "/assets/none.js",
    ]) {
      const response = await fetch(gateway.url + path);
      assert.equal(response.status, 404, path);
      assert.deepEqual(JSON.parse(await response.text()), { errors: { detail: "Not Found" } });
    }
  });

  it("have a policy that allows nothing inline, nothing made of text, and nothing from elsewhere", async () => {
    const response = await fetch(gateway.url);
    await response.text();
    const policy = response.headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'self';/);
    assert.match(policy, /style-src 'self';/);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    assert.doesNotMatch(html, /<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=/i);
    assert.ok(named().length >= 4);
    for (const file of named()) assert.match(file, /^\/[^/]/);
  });

  it("are kept for ever where their name has their hash, else revalidated by ETag", async () => {
    const { url } = gateway;
    for (const file of named()) {
      const first = await get(url + file, {});
      assert.equal(first.status, 200, file);
      assert.ok(first.body.length > 0);
      const hashed = /^\/assets\/.+-[\w-]{8}\.(js|css)$/.test(file);
      assert.equal(
        first.headers["cache-control"],
        hashed ? "public, max-age=31536000, immutable" : "no-cache",
        file,
      );
      const known = { "if-none-match": String(first.headers.etag) };
      assert.equal((await get(url + file, known)).status, 304);
    }
    for (const type of [".js", ".css"])
      assert.ok(
        named().some((file) => file.startsWith("/assets/") && file.endsWith(type)),
        type,
      );
  });

  it("go out compressed as the client takes it, and are then what they are uncompressed", async () => {
    const { url } = gateway;
    for (const path of named().filter((file) => file.startsWith("/assets/"))) {
      const plain = await get(url + path, {});
      assert.equal(plain.headers["content-encoding"], undefined, path);
      for (const [accepted, encoding, decode] of [
        ["gzip, deflate, br, zstd", "br", brotliDecompressSync],
        ["gzip", "gzip", gunzipSync],
        ["BR;q=0.1, gzip;q=0.9", "gzip", gunzipSync],
        ["*", "br", brotliDecompressSync],
        ["br;q=0, *;q=0.5", "gzip", gunzipSync],
      ] as const) {
        const { body, headers, status } = await get(url + path, { "accept-encoding": accepted });
        assert.deepEqual([status, headers["content-encoding"]], [200, encoding], `${path} ${accepted}`);
        assert.equal(headers["content-type"], plain.headers["content-type"], path);
        assert.equal(headers["cache-control"], plain.headers["cache-control"], path);
        assert.equal(headers["content-security-policy"], plain.headers["content-security-policy"], path);
        assert.equal(headers.vary, "Accept-Encoding", path);
        assert.equal(headers["content-length"], String(body.length), path);
        assert.notEqual(headers.etag, plain.headers.etag, path);
        assert.ok(body.length < plain.body.length / 2, `${path}: ${body.length} of ${plain.body.length}`);
        assert.deepEqual(decode(body), plain.body, path);
      }
    }
  });

  it("go out as they are to a client that takes nothing else, and where they are small", async () => {
    const [script] = named().filter((file) => file.endsWith(".js") && file.startsWith("/assets/"));
    for (const accepted of ["identity", "deflate, zstd", "br;q=0, gzip;q=0", "br;q=much", ""]) {
      const { headers, status } = await get(gateway.url + script, { "accept-encoding": accepted });
      assert.deepEqual([status, headers["content-encoding"]], [200, undefined], accepted);
      assert.equal(headers.vary, "Accept-Encoding");
    }
    const small = await get(`${gateway.url}/theme.js`, { "accept-encoding": "br, gzip" });
    assert.deepEqual([small.status, small.headers["content-encoding"]], [200, undefined]);
  });

  it("have headers alone for HEAD, and 304 for the form that the client has, in each encoding", async () => {
    const [script] = named().filter((file) => file.endsWith(".js") && file.startsWith("/assets/"));
    for (const accepted of ["br", "gzip", "identity"]) {
      const headers = { "accept-encoding": accepted };
      const full = await get(gateway.url + script, headers);
      const head = await get(gateway.url + script, headers, "HEAD");
      assert.deepEqual([head.status, head.body.length], [200, 0]);
      for (const name of [
        "etag",
        "content-length",
        "content-encoding",
        "content-type",
        "vary",
        "cache-control",
      ])
        assert.equal(head.headers[name], full.headers[name], `${accepted} ${name}`);

      const etag = String(full.headers.etag);
      const known = await get(gateway.url + script, { ...headers, "if-none-match": `"x", ${etag}` });
      assert.deepEqual([known.status, known.body.length], [304, 0], accepted);
      for (const name of ["etag", "vary", "cache-control"])
        assert.equal(known.headers[name], full.headers[name], `${accepted} ${name}`);
      assert.equal((await get(gateway.url + script, { ...headers, "if-none-match": '"x"' })).status, 200);
    }
    const brotli = await get(gateway.url + script, { "accept-encoding": "br" });
    const other = { "accept-encoding": "gzip", "if-none-match": String(brotli.headers.etag) };
    assert.equal((await get(gateway.url + script, other)).status, 200);
  });

  it("do not show what they were built from", async () => {
    const response = await fetch(`${gateway.url}/.sources`);
    await response.text();
    assert.equal(response.status, 404);
  });

  it("may be missing: the node then serves its API alone", async () => {
    const folder = await mkdtemp(join(tmpdir(), "fleetport-no-dist-"));
    const { broker } = testBroker();
    const settings = { ...gatewayService.settings, assets: { folder: join(folder, "dist") } };
    broker.createService({ ...gatewayService, settings });
    try {
      await broker.start();
      const url = String(broker.metadata.url);
      assert.equal((await fetch(`${url}/health/live`)).status, 200);
      assert.equal((await fetch(url)).status, 404);
    } finally {
      await broker.stop();
      await rm(folder, { recursive: true });
    }
  });
});

interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** As it came: not decompressed, which `fetch` would do. */
  readonly body: Buffer;
}

function get(url: string, headers: Readonly<Record<string, string>>, method = "GET"): Promise<Got> {
  return new Promise((resolve, reject) => {
    request(url, { method, headers, agent: false }, async (response) => {
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: await buffer(response) });
    })
      .on("error", reject)
      .end();
  });
}
