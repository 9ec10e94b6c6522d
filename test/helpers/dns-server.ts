/** @module A DNS server of one's own over UDP: answers what a test says, or nothing. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type Answer, decode, encode, type Packet } from "dns-packet";

/** Bytes are sent as they are; null: the server stays silent. */
export type Reply = Pick<Packet, "answers"> & { readonly rcode?: number };

export interface DnsServer {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** Names that were asked for, each with its type. */
  readonly questions: string[];
  reply: (name: string) => Reply | Uint8Array | null;
  stop(): Promise<void>;
}

export const NXDOMAIN: Reply = { rcode: 3 };

/** A TXT answer; each text is a record, in one part or several. */
export function txt(name: string, ...records: (string | readonly string[])[]): Reply {
  const answers = records.map(
    (data): Answer => ({ type: "TXT", name, ttl: 1, data: typeof data === "string" ? data : [...data] }),
  );
  return { answers };
}

export async function startDnsServer(): Promise<DnsServer> {
  const socket = createSocket("udp4");
  const questions: string[] = [];
  socket.on("message", (message, { address, port }) => {
    const query = decode(message);
    const question = query.questions?.[0];
    if (!question) return;
    questions.push(`${question.type} ${question.name}`);
    const reply = server.reply(question.name);
    if (reply === null) return;
    if (reply instanceof Uint8Array) {
      // The id is what makes it an answer at all.
      const bytes = Buffer.from(reply);
      if (bytes.length >= 2) message.copy(bytes, 0, 0, 2);
      return void socket.send(bytes, port, address);
    }
    const { answers = [], rcode = 0 } = reply;
    const flags = 0x0580 | rcode;
    socket.send(
      encode({ type: "response", id: query.id ?? 0, flags, questions: [question], answers }),
      port,
      address,
    );
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const server: DnsServer = {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    reply: () => null,
    async stop() {
      socket.close();
      await once(socket, "close");
    },
  };
  return server;
}
