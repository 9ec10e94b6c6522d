/** @module The actions of the conversations room that sockets call. */
import type { ServiceBroker } from "moleculer";
import type { Config } from "../../../lib/config.ts";
import type {
  Appended,
  AppendMessage,
  GetHeads,
  GetSession,
  Heads,
  ListMessages,
  MessagePage,
  Session,
} from "../../conversations/contract.ts";

export interface Conversations {
  session(id: string): Promise<Session>;
  messages(params: ListMessages): Promise<MessagePage>;
  append(params: AppendMessage): Promise<Appended>;
  heads(ids: readonly string[]): Promise<Heads>;
}

/** The action itself answers in time, also with "unknown"; this much later the bus must have lost the call. */
const APPEND_MARGIN_MS = 3000;
const READ_TIMEOUT_MS = 5000;

export function conversationsOn(broker: ServiceBroker, config: Config): Conversations {
  const reading = { timeout: READ_TIMEOUT_MS };
  const appending = { timeout: config.appendTimeoutMs + APPEND_MARGIN_MS };
  const checking = { timeout: config.catchupIntervalMs };
  return {
    session: (id) => broker.call<Session, GetSession>("sessions.get", { id }, reading),
    messages: (params) => broker.call<MessagePage, ListMessages>("sessions.messages.list", params, reading),
    append: (params) => broker.call<Appended, AppendMessage>("sessions.messages.append", params, appending),
    heads: (ids) => broker.call<Heads, GetHeads>("sessions.heads", { ids }, checking),
  };
}
