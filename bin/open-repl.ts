/** @module The Moleculer REPL of a broker, which ends the program as its signals do. */
import type { REPLServer } from "node:repl";
import type { ServiceBroker } from "moleculer";

/** Opens it on standard input and output; Ctrl-C, Ctrl-D and the end of the input run `shutdown`. */
export function openRepl(broker: ServiceBroker, shutdown: () => void): void {
  // Moleculer's types leave out what `repl` returns.
  const repl = broker.repl() as unknown as REPLServer;
  for (const event of ["exit", "SIGINT"]) {
    repl.removeAllListeners(event);
    repl.on(event, shutdown);
  }
}
