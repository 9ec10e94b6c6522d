/** @module Fan-out between processes: NATS core subjects, sent only where somebody subscribed. */
import { connect, ErrorCode, Events, JSONCodec, NatsError } from "nats";
import { subjectToken } from "../ids.ts";
import { connectProblem, readNatsUrl } from "../nats-access.ts";
import type { Fanout } from "./fanout.ts";

const PRESENCE_TIMEOUT_MS = 400;

/** Where a node answers that it is there; a server knows at once when nobody listens. */
function presenceSubject(node: string): string {
  return `fleet.node.${subjectToken(node)}`;
}

/**
 * Connects a node's fan-out to NATS; `subject` is prefixed with `fleet.live.`.
 * Lost connections are re-made for ever; what is published meanwhile is lost, as the interface says.
 * `natsUrl` is as in the configuration. Throws a sentence when no server can be reached, or entered, at the start.
 */
export async function openNatsFanout(
  natsUrl: string,
  name: string,
  onError: (error: unknown) => void,
): Promise<Fanout> {
  const codec = JSONCodec<unknown>();
  const access = readNatsUrl(natsUrl);
  const connection = await connect({
    ...access,
    name: `${name} fan-out`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    ignoreAuthErrorAbort: true,
  }).catch((cause: Error) => {
    throw new Error(connectProblem(access, cause), { cause });
  });

  // What all groups publish in one turn of the event loop goes out in one system call.
  let outgoing: { readonly subject: string; readonly data: Uint8Array }[] = [];
  const flush = () => {
    const publications = outgoing;
    outgoing = [];
    for (const { subject, data } of publications) {
      try {
        connection.publish(subject, data);
      } catch (error) {
        onError(error);
      }
    }
  };

  let connected = true;
  const watch = async () => {
    for await (const { type } of connection.status()) {
      if (type === Events.Disconnect) connected = false;
      if (type === Events.Reconnect) connected = true;
    }
  };
  watch().catch(onError);
  connection.subscribe(presenceSubject(name), { callback: (_error, message) => message.respond() });

  return {
    get connected() {
      return connected;
    },
    publish(subject, payload) {
      try {
        const data = codec.encode(payload);
        if (outgoing.length === 0) setImmediate(flush);
        outgoing.push({ subject: `fleet.live.${subject}`, data });
      } catch (error) {
        onError(error);
      }
    },
    async subscribe(subject, handler) {
      const subscription = connection.subscribe(`fleet.live.${subject}`, {
        callback(error, message) {
          if (error) return onError(error);
          try {
            handler(codec.decode(message.data));
          } catch (failure) {
            onError(failure);
          }
        },
      });
      try {
        await connection.flush();
      } catch (error) {
        // The library would subscribe again at every reconnection, for a caller who was told that it failed.
        subscription.unsubscribe();
        throw error;
      }
      return { unsubscribe: () => subscription.unsubscribe() };
    },
    async isPresent(node) {
      try {
        await connection.request(presenceSubject(node), undefined, { timeout: PRESENCE_TIMEOUT_MS });
        return true;
      } catch (error) {
        return error instanceof NatsError && error.code === ErrorCode.NoResponders ? false : null;
      }
    },
    async close() {
      flush();
      // Without servers there is nobody who would take what is left.
      await (connected ? connection.drain() : connection.close());
    },
  };
}
