/** @module The rooms of `services/`: they talk over the bus, and share no code but that of `lib/`. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";

const IMPORT = /^(?:import|export)\s(type\s)?[^;]*?from "(\.[^"]+)";/gms;

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typesOnly: boolean;
}

/** Relative imports of the files, by paths from the project's folder. */
function importsOf(files: readonly string[]): Import[] {
  return files.flatMap((from) =>
    [...readFileSync(from, "utf8").matchAll(IMPORT)].map(([, type, target = ""]) => ({
      from,
      to: normalize(join(dirname(from), target)),
      typesOnly: type !== undefined,
    })),
  );
}

const room = (path: string) => path.split(sep)[1];
const shown = ({ from, to }: Import) => `${from} imports ${to}`;

describe("The rooms of services/", () => {
  it("know of each other only the types of a contract", () => {
    const imports = importsOf(globSync("services/**/*.ts"));
    assert.ok(imports.length > 500, `only ${imports.length} imports were found`);
    const others = imports.filter(
      ({ from, to }) => to.startsWith(`services${sep}`) && room(to) !== room(from),
    );
    assert.ok(others.length > 0);
    const wrong = others.filter(
      ({ to, typesOnly }) => !typesOnly || to !== join("services", room(to) ?? "", "contract.ts"),
    );
    assert.deepEqual(wrong.map(shown), []);
  });

  it("are not known to lib/ at all", () => {
    const wrong = importsOf(globSync("lib/**/*.ts")).filter(({ to }) => to.startsWith(`services${sep}`));
    assert.deepEqual(wrong.map(shown), []);
  });
});
