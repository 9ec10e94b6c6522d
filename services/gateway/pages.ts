/** @module The dashboard's files: which paths are its pages, and how long a browser may keep what. */
import { sep } from "node:path";
import { fileURLToPath } from "node:url";
import { PAGE_HEADERS } from "./answer.ts";
import { compressedForm } from "./compressed-files.ts";

/** Where the build puts the dashboard (`vite.config.ts`). Without it the node serves its API alone. */
export const DASHBOARD_FOLDER = fileURLToPath(new URL("../../dist", import.meta.url));

/** Every page is the same file, which looks at the path by itself (`public/shell/pages.ts`). */
export const PAGE_PATHS: readonly string[] = [
  "/",
  "/overview",
  "/cluster",
  "/messages",
  "/node",
  "/analytics",
  "/query-console",
  "/groups",
  "/conversations",
];

const pages: ReadonlySet<string> = new Set(PAGE_PATHS);

/** The URL of the file that answers a URL: that of the dashboard for its pages, any other as it is. */
export function fileOf(url: string): string {
  const [path = ""] = url.split("?", 1);
  return pages.has(path) ? "/index.html" : url;
}

/** A file under `assets/` has its content's hash in its name; every other is asked about each time. */
export function fileHeaders(file: string): Readonly<Record<string, string>> {
  const hashed = file.startsWith(`${DASHBOARD_FOLDER}${sep}assets${sep}`);
  const compressed = compressedForm(file);
  return {
    ...PAGE_HEADERS,
    vary: "Accept-Encoding",
    ...(hashed && { "cache-control": "public, max-age=31536000, immutable" }),
    ...(compressed && {
      "content-encoding": compressed.encoding,
      "content-type": compressed.type,
    }),
  };
}
