/** @module Which form of a dashboard's file a client gets: the build leaves compressed ones beside it (RFC 9110, section 12.5.3). */
import { existsSync, readdirSync } from "node:fs";
import { extname, sep } from "node:path";

/** What follows a file's name, by the encoding that it stands for; the best one first (`vite.config.ts` writes them). */
const SUFFIXES = { br: ".br", gzip: ".gz" } as const;
type Encoding = keyof typeof SUFFIXES;

const ENCODINGS = Object.keys(SUFFIXES) as Encoding[];

/** Types of the files that the build compresses: of a compressed file its own name says nothing. */
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

export interface CompressedForm {
  readonly encoding: Encoding;
  /** Content type of what is in it. */
  readonly type: string;
}

/** What a compressed file is; null for a file that is none. */
export function compressedForm(file: string): CompressedForm | null {
  const encoding = ENCODINGS.find((one) => file.endsWith(SUFFIXES[one]));
  const type = encoding && TYPES[extname(file.slice(0, -SUFFIXES[encoding].length))];
  return type ? { encoding, type } : null;
}

/** The URL paths of the compressed files that the folder has now; none where there is no folder. */
export function compressedPaths(folder: string): ReadonlySet<string> {
  if (!existsSync(folder)) return new Set();
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return new Set(
    files.filter((file) => compressedForm(file) !== null).map((file) => `/${file.replaceAll(sep, "/")}`),
  );
}

/** The path of what a client gets for `path`: a compressed form that is there and that it takes, or the file itself. */
export function formOf(path: string, accepted: string | undefined, there: ReadonlySet<string>): string {
  const taken = qualities(accepted ?? "");
  const best = ENCODINGS.filter((encoding) => there.has(path + SUFFIXES[encoding]))
    .map((encoding) => ({ encoding, quality: taken(encoding) }))
    .filter(({ quality }) => quality > 0)
    // Stable: of two that are as welcome, the better one stays first.
    .sort((a, b) => b.quality - a.quality)[0];
  return best === undefined ? path : path + SUFFIXES[best.encoding];
}

/** How welcome an encoding is by an `Accept-Encoding` header, 0 to 1; what cannot be read counts as refused. */
function qualities(accepted: string): (encoding: Encoding) => number {
  const given = new Map(
    accepted.split(",").map((piece) => {
      const [name = "", ...parameters] = piece.toLowerCase().split(";");
      const weight = parameters.map((text) => /^\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*$/.exec(text)?.[1])[0];
      return [name.trim(), parameters.length === 0 ? 1 : Number(weight ?? 0)] as const;
    }),
  );
  return (encoding) => given.get(encoding) ?? given.get("*") ?? 0;
}
