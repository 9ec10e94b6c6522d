/** @module The dashboard as a node serves it: pages, files, what browsers may keep, and what they may run. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import gatewayService from "../../services/gateway/gateway.service.ts";
import { PAGE_PATHS } from "../../services/gateway/pages.ts";
import { startGateway, type TestGateway, testBroker } from "../helpers/gateway.ts";
import { rawRequest } from "../helpers/raw-http.ts";

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
      const first = await fetch(url + file);
      assert.equal(first.status, 200, file);
      assert.ok((await first.text()).length > 0);
      const hashed = /^\/assets\/.+-[\w-]{8}\.(js|css)$/.test(file);
      assert.equal(
        first.headers.get("cache-control"),
        hashed ? "public, max-age=31536000, immutable" : "no-cache",
        file,
      );
      // Not with fetch, which asks caches on the way not to answer.
      const known = `if-none-match: ${first.headers.get("etag")}`;
      assert.equal(
        (await rawRequest(url, `GET ${file} HTTP/1.1\r\nhost: x\r\n${known}\r\n\r\n`)).status,
        304,
      );
    }
    assert.equal(named().filter((file) => file.startsWith("/assets/")).length, 2);
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
