/** @module A child process that writes to a store in a loop and prints each version once it is acknowledged. */
import { openStore } from "../../corrosion/embedded/store/store.ts";

const [path = "", schema = ""] = process.argv.slice(2);
const store = openStore({ path });
store.applySchema([schema]);
for (let i = 0; ; i += 1) {
  const params = { kind: "positional", values: [BigInt(i)] } as const;
  const { version } = store.transact([
    { sql: "INSERT INTO pair (id, half) VALUES ('left ' || (SELECT count(*) FROM pair), ?)", params },
    { sql: "INSERT INTO pair (id, half) VALUES ('right ' || (SELECT count(*) FROM pair), ?)", params },
  ]);
  // Synchronous on a pipe: what is printed was acknowledged.
  process.stdout.write(`${version}\n`);
}
