/** @module How the dashboard is built: sources in public/, the result in dist/. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import tailwindcss from "@tailwindcss/vite";
import { defineConfig, type Plugin } from "vite";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const DIST = at("dist");

/** Smaller ones go into one packet as they are. */
const WORTH_COMPRESSING = 1024;

/** Leaves a brotli and a gzip form beside each text, which the gateway serves (`services/gateway/compressed-files.ts`). */
const compressed: Plugin = {
  name: "compressed",
  apply: "build",
  closeBundle() {
    for (const name of readdirSync(DIST, { recursive: true, encoding: "utf8" })) {
      if (!/\.(html|js|css|svg)$/.test(name)) continue;
      const file = join(DIST, name);
      const content = readFileSync(file);
      if (content.length < WORTH_COMPRESSING) continue;
      writeFileSync(`${file}.br`, brotliCompressSync(content));
      writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
    }
  },
};

export default defineConfig({
  root: at("public"),
  publicDir: "static",
  plugins: [tailwindcss(), compressed],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: DIST,
    emptyOutDir: true,
    target: "es2022",
    // The page's policy takes no data: for scripts and styles, and small files cost little over one connection.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // `npx vite` in front of a running node, for whoever works on the pages.
  server: {
    proxy: Object.fromEntries(
      ["/api", "/health", "/metrics", "/socket"].map((path) => [
        path,
        { target: process.env.FLEETPORT_URL ?? "http://127.0.0.1:4001", ws: path === "/socket" },
      ]),
    ),
  },
});
