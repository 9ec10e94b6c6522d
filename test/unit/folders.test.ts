/** @module Folders are made with all that they lie in, or there is an error at once. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeFolder } from "../../lib/folders.ts";

describe("a folder that is needed", () => {
  let root = "";
  before(() => {
    root = mkdtempSync(join(tmpdir(), "fleetport-folders-"));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  it("is made with those above it, and stays when it is there", () => {
    const folder = join(root, "a", "b", "c");
    makeFolder(folder);
    writeFileSync(join(folder, "kept"), "");
    makeFolder(folder);
    makeFolder(`${folder}/`);
    assert.ok(statSync(join(folder, "kept")).isFile());
  });

  it("cannot be made in a file, or in its place", () => {
    const file = join(root, "file");
    writeFileSync(file, "");
    assert.throws(() => makeFolder(file), { code: "EEXIST" });
    assert.throws(() => makeFolder(join(file, "x", "y")), { code: "ENOTDIR" });
  });

  it("cannot be made below a folder that takes nothing, which is said at once", function () {
    if (process.platform !== "linux") this.skip();
    assert.throws(() => makeFolder("/proc/none/of/it"), { code: "ENOENT" });
  });
});
