/** @module One client's socket: its channels, the protocol around them, and its two buffers. */
import type { Duplex } from "node:stream";
import { inspect } from "node:util";
import type { RawData, WebSocket } from "ws";
import { Admission } from "./admission.ts";
import { type Address, addressOf, closeFrame, decodeFrame, type Frame, replyFrame } from "./frames.ts";
import {
  type ChannelServices,
  type ChannelSocket,
  type Principal,
  SessionChannel,
} from "./session-channel.ts";

/** Why the server closes a socket (contract, section 6). Never 1000: the official client would not come back. */
export const CLOSE = {
  silence: 1001,
  badFrame: 1003,
  internal: 1011,
  draining: 1012,
  slowReader: 1013,
} as const;

/** What all connections of a node share. */
export interface ConnectionServices extends ChannelServices {
  /** Unsent bytes at which a socket is given up (`FLEET_WS_BUFFER_BYTES`). */
  readonly bufferBytes: number;
  readonly maxChannels: number;
  /** Sends what connections wrote, at the end of this turn of the event loop. */
  readonly flushes: FlushQueue;
}

/** Collects the connections that were written to, so that each makes one system call per turn of the event loop. */
export class FlushQueue {
  #written: Connection[] = [];

  add(connection: Connection): void {
    if (this.#written.length === 0) setImmediate(() => this.#flush());
    this.#written.push(connection);
  }

  #flush(): void {
    const written = this.#written;
    this.#written = [];
    for (const connection of written) connection.flush();
  }
}

const SESSION_TOPIC = "session:";

/** Joins of one socket that are under way at a time; the others wait for their turn. */
const MAX_JOINS_UNDER_WAY = 64;

/** Frames for channels whose join is not decided: beyond this many bytes the socket is not read. */
const MAX_EARLY_BYTES = 1024 * 1024;
/** What keeping a frame costs beside its text. */
const EARLY_FRAME_BYTES = 200;

const MAX_PAGE_BYTES = 256 * 1024;

export class Connection implements ChannelSocket {
  readonly principal: Principal;
  readonly joins: Admission;
  readonly reads: Admission;
  readonly pageBytes: number;
  /** When the client was last heard of, in milliseconds since 1970. */
  heardAt = Date.now();

  readonly #ws: WebSocket;
  /** Under `#ws`, which has no means of its own to send several frames at once. */
  readonly #stream: Duplex;
  readonly #services: ConnectionServices;
  readonly #channels = new Map<string, SessionChannel>();
  readonly #pauseAbove: number;
  readonly #resumeBelow: number;
  #corked = false;
  #closed = false;
  #paused = false;
  #bufferFull = false;
  #earlyBytes = 0;
  /** Sends whose reply is not out yet. */
  #sends = 0;
  #answered: (() => void) | null = null;
  #retiring = false;

  constructor(ws: WebSocket, stream: Duplex, principal: Principal, services: ConnectionServices) {
    this.#ws = ws;
    this.#stream = stream;
    this.#services = services;
    this.principal = principal;
    // A stream announces that it drained only after it held its own high-water mark.
    const mark = stream.writableHighWaterMark;
    this.#pauseAbove = Math.max(services.bufferBytes / 2, mark);
    this.#resumeBelow = Math.max(services.bufferBytes / 8, mark);
    this.pageBytes = Math.min(MAX_PAGE_BYTES, services.bufferBytes / 8);
    this.joins = new Admission({ capacity: MAX_JOINS_UNDER_WAY, maxLoad: 0, load: () => 0 });
    this.reads = new Admission({
      capacity: services.bufferBytes / 2,
      maxLoad: this.#resumeBelow,
      load: () => this.#unsent,
    });

    ws.on("message", (data, isBinary) => this.#received(data, isBinary));
    ws.on("ping", () => this.#heard());
    ws.on("pong", () => this.#heard());
    // `ws` answers what breaks its protocol itself, with the close code that belongs to it.
    ws.on("error", () => this.#end());
    ws.on("close", () => this.#end());
    stream.on("drain", () => this.#drained());
    services.metrics.connections.inc();
  }

  /** Everything of the client ends; the socket follows once it has read what was sent. */
  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#end();
    this.#uncork();
    // A paused socket would not see the client's half of the closing handshake.
    this.#ws.resume();
    this.#ws.close(code, reason);
  }

  /** As `close`, once the sends under way are answered; nothing more is read from the client meanwhile. */
  async retire(code: number, reason: string): Promise<void> {
    this.#retiring = true;
    this.#pauseOrResume();
    if (this.#sends > 0) await new Promise<void>((resolve) => (this.#answered = resolve));
    this.close(code, reason);
  }

  answering(send: Promise<void>): void {
    this.#sends += 1;
    void send.finally(() => {
      this.#sends -= 1;
      if (this.#sends === 0) this.#answered?.();
    });
  }

  /** For a client that does not take part in the closing handshake. */
  terminate(): void {
    this.#ws.terminate();
  }

  /** Sends an event to every joined channel. */
  broadcast(event: string, payload: string): void {
    for (const channel of this.#channels.values()) {
      if (channel.state === "joined") channel.push(event, payload);
    }
  }

  write(frame: string): void {
    if (this.#closed) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#stream.cork();
      this.#services.flushes.add(this);
    }
    // The stream counts what it holds of a text in UTF-16 units: up to three times too low where it is not ASCII.
    const ascii = Buffer.byteLength(frame) === frame.length;
    this.#ws.send(ascii ? frame : Buffer.from(frame), { binary: false });
  }

  /** Hands what was written in this turn to the system, and looks at what it did not take. */
  flush(): void {
    this.#uncork();
    if (this.#closed) return;
    const unsent = this.#unsent;
    if (unsent > this.#services.bufferBytes) return this.close(CLOSE.slowReader, "send buffer full");
    if (unsent > this.#pauseAbove) this.#bufferFull = true;
    else if (unsent <= this.#resumeBelow) this.#drained();
    this.#pauseOrResume();
  }

  /** In bytes. */
  get #unsent(): number {
    return this.#ws.bufferedAmount;
  }

  #uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#stream.uncork();
  }

  #drained(): void {
    if (this.#closed) return;
    // It reads, if slowly: that is a sign of life, and while it is not read from, the only one.
    if (this.#paused) this.#heard();
    this.#bufferFull = false;
    this.#pauseOrResume();
    this.reads.admit();
  }

  #pauseOrResume(): void {
    const paused = this.#retiring || this.#bufferFull || this.#earlyBytes > MAX_EARLY_BYTES;
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (paused) this.#ws.pause();
    else this.#ws.resume();
  }

  #heard(): void {
    this.heardAt = Date.now();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const channel of this.#channels.values()) channel.close();
    this.#channels.clear();
    this.joins.clear();
    this.reads.clear();
    this.#services.metrics.connections.dec();
  }

  #received(data: RawData, isBinary: boolean): void {
    if (this.#closed) return;
    this.#heard();
    const frame = isBinary || !Buffer.isBuffer(data) ? null : decodeFrame(data);
    if (!frame) return this.close(CLOSE.badFrame, "not a [join_ref, ref, topic, event, payload] text frame");
    this.#handle(frame);
  }

  /** A defect in handling one client's frame must not end the process of all. */
  #handle(frame: Frame): void {
    try {
      this.#dispatch(frame);
    } catch (error) {
      const { topic, event } = frame;
      this.#services.logger.error("frame failed", { topic, event, error: inspect(error) });
      this.close(CLOSE.internal, "internal error");
    }
  }

  #dispatch(frame: Frame): void {
    const { joinRef, ref, topic, event } = frame;
    if (topic === "phoenix" && event === "heartbeat") {
      return this.write(replyFrame(HEARTBEAT, ref, "ok", "{}"));
    }
    const channel = this.#channels.get(topic);
    if (channel?.state === "joining") return this.#keep(channel, frame);
    if (event === "phx_join") return this.#join(channel, frame);
    if (!channel) {
      // As in Phoenix, leaving a channel that the server has closed meanwhile is no error.
      if (event === "phx_leave") return this.write(replyFrame(addressOf(joinRef, topic), ref, "ok", "{}"));
      return this.#refuse(frame, "unmatched topic");
    }
    if (joinRef !== null && channel.joinRef !== null && joinRef !== channel.joinRef) return;
    if (event === "send") return channel.send(frame);
    if (event === "phx_leave") {
      channel.reply(ref, "ok", "{}");
      return this.#close(topic, channel);
    }
    channel.reply(ref, "error", '{"error":"unknown_event"}');
  }

  #join(former: SessionChannel | undefined, frame: Frame): void {
    const { topic } = frame;
    if (former) this.#close(topic, former);
    if (!topic.startsWith(SESSION_TOPIC)) return this.#refuse(frame, "unmatched topic");
    if (this.#channels.size >= this.#services.maxChannels) return this.#refuse(frame, "too many channels");
    const channel = new SessionChannel(topic.slice(SESSION_TOPIC.length), frame, this, this.#services);
    this.#channels.set(topic, channel);
    void this.#decide(channel, frame);
  }

  /** Waits for the outcome of a join, then turns to what the client sent meanwhile; never rejects. */
  async #decide(channel: SessionChannel, join: Frame): Promise<void> {
    const refusal = await channel.join(join);
    if (this.#closed) return;
    if (refusal) {
      channel.close();
      this.#channels.delete(join.topic);
      this.#refuse(join, refusal.reason);
    }
    for (const frame of channel.early.splice(0)) {
      this.#earlyBytes -= frame.bytes + EARLY_FRAME_BYTES;
      if (!this.#closed) this.#handle(frame);
    }
    this.#pauseOrResume();
  }

  #keep(channel: SessionChannel, frame: Frame): void {
    channel.early.push(frame);
    this.#earlyBytes += frame.bytes + EARLY_FRAME_BYTES;
    this.#pauseOrResume();
  }

  #close(topic: string, channel: SessionChannel): void {
    channel.close();
    this.#channels.delete(topic);
    this.write(closeFrame(channel.address));
  }

  #refuse({ joinRef, ref, topic }: Frame, reason: string): void {
    this.write(replyFrame(addressOf(joinRef, topic), ref, "error", JSON.stringify({ reason })));
  }
}

const HEARTBEAT: Address = addressOf(null, "phoenix");
