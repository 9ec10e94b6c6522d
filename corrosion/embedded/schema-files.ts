/** @module The schema files that a configuration names. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * The texts of the files, in order: a folder stands for its `*.sql` files, sorted, without those of folders in it.
 * Throws what the file system says, e.g. for a path that does not exist.
 */
export function readSchemaFiles(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const files = statSync(path).isDirectory()
      ? readdirSync(path, { withFileTypes: true })
          .filter((entry) => !entry.isDirectory() && entry.name.endsWith(".sql"))
          .map((entry) => join(path, entry.name))
          .sort()
      : [path];
    return files.map((file) => readFileSync(file, "utf8"));
  });
}
