/** @module A message on its way to clients: made into JSON at most once, however many channels it goes to. */
import type { Message } from "../../conversations/contract.ts";
import type { Sequenced } from "./delivery.ts";

export class Outgoing implements Sequenced {
  readonly seq: number;
  readonly #message: Message;
  #json: string | null = null;

  constructor(message: Message) {
    this.seq = message.seq;
    this.#message = message;
  }

  get json(): string {
    this.#json ??= JSON.stringify(this.#message);
    return this.#json;
  }

  get size(): number {
    return this.json.length;
  }
}
