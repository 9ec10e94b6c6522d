/** @module A node with nothing but sockets, over conversations in memory whose failures a test commands. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Context, ServiceBroker, type ServiceSchema } from "moleculer";
import { Registry } from "prom-client";
import { readConfig } from "../../lib/config.ts";
import { FleetError } from "../../lib/errors.ts";
import { openEmitterFanout } from "../../lib/fanout/emitter.ts";
import type { Fanout } from "../../lib/fanout/fanout.ts";
import { sessionSubject } from "../../lib/ids.ts";
import { attachRuntime } from "../../lib/runtime.ts";
import type {
  Appended,
  AppendMessage,
  GetHeads,
  GetSession,
  Heads,
  ListMessages,
  Message,
  MessagePage,
  Session,
  SessionMessages,
} from "../../services/conversations/contract.ts";
import { type SocketsSettings, socketsMixin } from "../../services/gateway/sockets.mixin.ts";

const TIME = "2026-01-02T03:04:05.678901Z";

/** A fan-out that counts its subscriptions and loses what it is told to lose. */
export class WatchedFanout implements Fanout {
  readonly connected = true;
  subscriptions = 0;
  /** Whether a publication is lost on its way to this node's subscribers. */
  loses: (payload: unknown) => boolean = () => false;
  /** Every subscription waits for this. */
  gate: Promise<void> = Promise.resolve();
  readonly #inner: Fanout;

  constructor(namespace: string) {
    this.#inner = openEmitterFanout(namespace, (error) => {
      throw error;
    });
  }

  publish(subject: string, payload: unknown): void {
    this.#inner.publish(subject, payload);
  }

  async subscribe(subject: string, handler: (payload: unknown) => void) {
    await this.gate;
    const inner = await this.#inner.subscribe(subject, (payload) => {
      if (!this.loses(payload)) handler(payload);
    });
    this.subscriptions++;
    let ended = false;
    const unsubscribe = () => {
      if (!ended) this.subscriptions--;
      ended = true;
      inner.unsubscribe();
    };
    return { unsubscribe };
  }

  isPresent(node: string): Promise<boolean | null> {
    return this.#inner.isPresent(node);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

/** Sessions as the contract's actions show them; a test may wait in, or fail, any call. */
export class FakeConversations {
  readonly sessions = new Map<string, { session: Session; messages: Message[] }>();
  readonly calls = { get: 0, list: 0, append: 0, heads: 0 };
  /** Runs before every call; throw to fail it. */
  before: (action: "get" | "list" | "append" | "heads", params: unknown) => void | Promise<void> = () => {};
  epoch = 1;
  readonly #fanout: Fanout;

  constructor(fanout: Fanout) {
    this.#fanout = fanout;
  }

  create(id: string, user_id = "u1", agent_id = "a1"): void {
    const dispatch = { state: "idle", epoch: 0, last_sent_seq: 0, last_failure: null } as const;
    const times = { inserted_at: TIME, updated_at: TIME };
    const session: Session = {
      id,
      user_id,
      agent_id,
      status: "active",
      metadata: {},
      ...times,
      last_seq: 0,
      dispatch,
    };
    this.sessions.set(id, { session, messages: [] });
  }

  /** Appends and publishes messages. */
  append(id: string, count: number, content: Message["content"] = { text: "hi" }): Message[] {
    const { messages } = this.#find(id);
    const added = Array.from({ length: count }, (_, i) => {
      const seq = messages.length + i + 1;
      return {
        id: `m${seq}`,
        session_id: id,
        seq,
        sender_id: "u1",
        kind: "text",
        content,
        metadata: {},
        inserted_at: TIME,
      };
    });
    messages.push(...added);
    const event: SessionMessages = { type: "messages", session_id: id, epoch: this.epoch, messages: added };
    this.#fanout.publish(sessionSubject(id), event);
    return added;
  }

  #find(id: string): { session: Session; messages: Message[] } {
    const found = this.sessions.get(id);
    if (!found) throw new FleetError("session_not_found", `there is no session ${id}`);
    return found;
  }

  /** The services `sessions` and `messages`. */
  get schemas(): ServiceSchema[] {
    const called = async (action: keyof FakeConversations["calls"], params: unknown) => {
      this.calls[action]++;
      await this.before(action, params);
    };
    return [
      {
        name: "sessions",
        actions: {
          get: async (ctx: Context<GetSession>): Promise<Session> => {
            await called("get", ctx.params);
            const { session, messages } = this.#find(ctx.params.id);
            return { ...session, last_seq: messages.length };
          },
          heads: async (ctx: Context<GetHeads>): Promise<Heads> => {
            await called("heads", ctx.params);
            const head = (id: string) => {
              const found = this.sessions.get(id);
              return found ? { last_seq: found.messages.length, epoch: this.epoch } : null;
            };
            return { heads: Object.fromEntries(ctx.params.ids.map((id) => [id, head(id)])) };
          },
        },
      },
      {
        name: "sessions.messages",
        actions: {
          list: async (ctx: Context<ListMessages>): Promise<MessagePage> => {
            await called("list", ctx.params);
            const { session_id, after_seq = 0, limit = 50, max_bytes = 8 * 1024 * 1024 } = ctx.params;
            const { messages } = this.#find(session_id);
            const page: Message[] = [];
            let bytes = 0;
            for (const message of messages.slice(after_seq, after_seq + limit)) {
              bytes += JSON.stringify(message).length;
              if (page.length > 0 && bytes > max_bytes) break;
              page.push(message);
            }
            return {
              messages: page,
              last_seq: messages.length,
              has_more: after_seq + page.length < messages.length,
            };
          },
          append: async (ctx: Context<AppendMessage>): Promise<Appended> => {
            await called("append", ctx.params);
            const [message] = this.append(ctx.params.session_id, 1, ctx.params.content);
            if (!message) throw new Error("nothing was appended");
            return { message, deduped: false };
          },
        },
      },
    ];
  }
}

export interface SocketsNode {
  readonly url: string;
  readonly broker: ServiceBroker;
  readonly conversations: FakeConversations;
  readonly fanout: WatchedFanout;
  readonly metrics: Registry;
  /** The value of a metric, all labels summed. */
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

export interface SocketsNodeOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly settings?: Partial<SocketsSettings["sockets"]>;
}

let nodes = 0;

export async function startSockets({
  env = {},
  settings = {},
}: SocketsNodeOptions = {}): Promise<SocketsNode> {
  nodes += 1;
  const namespace = `sockets-${process.pid}-${nodes}`;
  const fanout = new WatchedFanout(namespace);
  const conversations = new FakeConversations(fanout);
  const metrics = new Registry();
  const config = readConfig({ FLEET_NODE_ID: namespace, ...env });
  const halt = (error: Error) => {
    throw error;
  };
  const broker = new ServiceBroker({
    nodeID: namespace,
    namespace,
    transporter: null,
    logger: false,
    internalServices: false,
    skipProcessEventRegistration: true,
    middlewares: [
      {
        created: (made: ServiceBroker) =>
          attachRuntime(made, {
            config,
            fanout,
            metrics,
            admission: { open: true },
            halt,
            retire: () => undefined,
          }),
      },
    ],
  });
  for (const schema of conversations.schemas) broker.createService(schema);
  const server = createServer((_, response) => response.end("plain HTTP"));
  broker.createService({
    name: "gateway",
    mixins: [socketsMixin, httpServer(server)],
    settings: { sockets: settings },
  });
  await broker.start();
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    broker,
    conversations,
    fanout,
    metrics,
    async metric(name) {
      const found = (await metrics.getMetricsAsJSON()).find((metric) => metric.name === name);
      return found?.values.reduce((sum, { value }) => sum + Number(value), 0) ?? 0;
    },
    stop: () => broker.stop(),
  };
}

/** As moleculer-web does it: made when the service is created, listening when it starts, awaited when it stops. */
function httpServer(server: Server): Partial<ServiceSchema> {
  return {
    created() {
      this.server = server;
    },
    async started() {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    },
    async stopped() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
