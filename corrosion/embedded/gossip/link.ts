/** @module One TCP connection to a peer: frames in, frames out, bounded on both sides, and closed when it is silent. */
import type { Socket } from "node:net";
import type { Pace } from "./contract.ts";
import { NotOurs } from "./fields.ts";
import { BadFrame, FrameReader, frame } from "./frames.ts";
import { decode, encode, type Message } from "./wire.ts";

/** Before it is known who the other side is, it may not make this one hold much. */
const STRANGER_FRAME_BYTES = 64 * 1024;

export interface LinkOptions {
  /** The address that was dialed; null: the other side dialed. */
  readonly dialed: string | null;
  readonly pace: Pace;
  /** Milliseconds of a clock that stands still while this process does. */
  readonly now: () => number;
  /** `bytes` is the size of the frame. */
  readonly onMessage: (message: Message, bytes: number) => void;
  /** Once, when the connection is over. `fault`: the other side broke the protocol. */
  readonly onClosed: (reason: string, fault: boolean) => void;
}

export class Link {
  readonly dialed: string | null;
  /** Where the other side's socket is. */
  readonly remote: string;
  readonly #socket: Socket;
  readonly #options: LinkOptions;
  readonly #reader = new FrameReader(STRANGER_FRAME_BYTES);
  readonly #openedAt: number;
  #trusted = false;
  #closed: { readonly reason: string; readonly fault: boolean } | null = null;
  #ended = false;
  #endingAt: number | null = null;
  #heardAt: number;
  #frameBeganAt: number | null = null;
  #held = 0;
  #waiting: (() => void)[] = [];

  constructor(socket: Socket, options: LinkOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#openedAt = options.now();
    this.#heardAt = this.#openedAt;
    this.dialed = options.dialed;
    this.remote = options.dialed ?? `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? "?"}`;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.on("drain", () => this.#wake());
    socket.on("end", () => this.close("it closed the connection"));
    socket.on("error", (error) => this.close(error.message));
    socket.on("close", () => {
      this.close("the connection broke");
      this.#ended = true;
      this.#wake();
      const { reason, fault } = this.#closed!;
      options.onClosed(reason, fault);
    });
  }

  get open(): boolean {
    return this.#closed === null;
  }

  /** Whether the socket is gone. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether nothing is read because too much waits. */
  get paused(): boolean {
    return this.#held > this.#options.pace.receiveBufferBytes;
  }

  /** For how long no byte came, in milliseconds; 0 while this side does not read. */
  get silentMs(): number {
    return this.paused ? 0 : Math.max(0, this.#options.now() - this.#heardAt);
  }

  /** From now on frames may be long, and silence counts from here. */
  trust(): void {
    this.#trusted = true;
    this.#reader.maxBytes = this.#options.pace.maxFrameBytes;
  }

  /** Sends unless the connection is closed or too much waits to be sent: then false. */
  offer(message: Message | Buffer): boolean {
    if (this.#closed !== null || this.#socket.writableLength > this.#options.pace.sendBufferBytes)
      return false;
    this.#socket.write(Buffer.isBuffer(message) ? message : frame(encode(message)));
    return true;
  }

  /** Sends as soon as there is room; false when the connection is closed. */
  async deliver(message: Message | Buffer): Promise<boolean> {
    while (this.#closed === null && this.#socket.writableNeedDrain) {
      await new Promise<void>((wake) => this.#waiting.push(wake));
    }
    if (this.#closed !== null) return false;
    this.#socket.write(Buffer.isBuffer(message) ? message : frame(encode(message)));
    return true;
  }

  /** So many received bytes wait; `release` takes them back. */
  hold(bytes: number): void {
    this.#held += bytes;
    if (this.paused) this.#socket.pause();
  }

  release(bytes: number): void {
    const wasPaused = this.paused;
    this.#held -= bytes;
    if (!wasPaused || this.paused) return;
    this.#heardAt = this.#options.now();
    if (this.#frameBeganAt !== null) this.#frameBeganAt = this.#heardAt;
    this.#socket.resume();
  }

  /** To be called every round: ends what is silent, or slow on purpose. */
  check(): void {
    const { pace } = this.#options;
    const now = this.#options.now();
    if (this.#endingAt !== null) {
      if (now - this.#endingAt > pace.roundMs) this.#socket.destroy();
    } else if (!this.#trusted && now - this.#openedAt > pace.helloMs) {
      this.#fail(`it said no hello within ${pace.helloMs} ms`, this.dialed === null);
    } else if (this.#frameBeganAt !== null && now - this.#frameBeganAt > pace.frameMs && !this.paused) {
      this.#fail(`a frame was not whole within ${pace.frameMs} ms`, true);
    } else if (this.silentMs > pace.silenceMs) {
      this.#fail(`it was silent for ${pace.silenceMs} ms`, false);
    }
  }

  /** Ends the connection, behind a last message if there is one. */
  close(reason: string, last: Message | null = null): void {
    if (this.#closed !== null) return;
    this.#closed = { reason, fault: false };
    this.#wake();
    this.#endingAt = this.#options.now();
    if (last === null || this.#socket.destroyed) this.#socket.destroy();
    else this.#socket.end(frame(encode(last)));
  }

  destroy(): void {
    this.close("the agent stopped");
    this.#socket.destroy();
  }

  #fail(reason: string, fault: boolean): void {
    if (this.#closed !== null) return;
    this.#closed = { reason, fault };
    this.#wake();
    this.#socket.destroy();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  #read(bytes: Buffer): void {
    this.#heardAt = this.#options.now();
    if (this.#closed !== null) return;
    this.#reader.push(bytes);
    try {
      for (let body = this.#reader.next(); body !== null && this.open; body = this.#reader.next()) {
        this.#frameBeganAt = null;
        this.#options.onMessage(decode(body), body.length);
      }
    } catch (error) {
      if (!(error instanceof BadFrame || error instanceof NotOurs)) throw error;
      this.#fail(`it does not speak our protocol: ${error.message}`, true);
    }
    this.#frameBeganAt = this.#reader.pending ? (this.#frameBeganAt ?? this.#heardAt) : null;
  }
}
