/** @module HTTP by the byte: requests that no client library would send, and several in one go. */
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** One connection; what is sent and what comes back is up to the test. */
export class RawConnection {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #wake: () => void = () => {};
  #over = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    for (const end of ["close", "error"]) {
      socket.on(end, () => {
        this.#over = true;
        this.#wake();
      });
    }
  }

  static open(base: string): Promise<RawConnection> {
    const { hostname, port } = new URL(base);
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port) });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new RawConnection(socket));
      });
    });
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The next answer. Throws when the connection ends before it is complete. */
  async answer(): Promise<RawAnswer> {
    const headEnd = await this.#until(() => this.#received.indexOf("\r\n\r\n"));
    const [statusLine = "", ...lines] = this.#received.toString("latin1", 0, headEnd).split("\r\n");
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const end = headEnd + 4 + Number(headers["content-length"] ?? 0);
    await this.#until(() => (this.#received.length >= end ? end : -1));
    const text = this.#received.toString("utf8", headEnd + 4, end);
    this.#received = this.#received.subarray(end);
    return { status: Number(statusLine.split(" ")[1]), headers, text };
  }

  /** Resolves once the server has closed the connection. */
  async closed(): Promise<void> {
    while (!this.#over) await this.#event();
  }

  close(): void {
    this.socket.destroy();
  }

  async #until(position: () => number): Promise<number> {
    for (;;) {
      const found = position();
      if (found >= 0) return found;
      if (this.#over) throw new Error(`the connection ended after ${this.#received.length} bytes`);
      await this.#event();
    }
  }

  #event(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** Sends one raw request on a connection of its own and returns the answer. */
export async function rawRequest(base: string, bytes: string | Uint8Array): Promise<RawAnswer> {
  const connection = await RawConnection.open(base);
  try {
    connection.send(bytes);
    return await connection.answer();
  } finally {
    connection.close();
  }
}
