/** @module How the dashboard is built: sources in public/, the result in dist/. */
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vite";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at("public"),
  publicDir: "static",
  plugins: [tailwindcss()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: at("dist"),
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
