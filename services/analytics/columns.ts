/** @module The events of a run as columns: each message once, its acknowledgements beside each other. */
import type { MessageEvent } from "./contract.ts";

/**
 * A message is what its sender recorded and what was acknowledged of it; it is here too when its send was not recorded.
 * Messages are in the order in which they were sent, those without a recorded send last. Times are microseconds.
 */
export interface EventColumns {
  /** Node ids; elsewhere a node is its index in here. */
  readonly nodes: readonly string[];
  readonly messages: readonly string[];
  /** By message: the node that sent it. */
  readonly originators: Uint32Array;
  /** By message; NaN where no send was recorded. */
  readonly sentAt: Float64Array;
  /** By message: the acknowledgements of message m are those from `ends[m - 1]` (0 for the first) to `ends[m]`. */
  readonly ends: Uint32Array;
  /** By acknowledgement: who acknowledged. A message has one of each node at most. */
  readonly targets: Uint32Array;
  /** By acknowledgement: its arrival on the originator's clock. */
  readonly ackedAt: Float64Array;
  /** By acknowledgement: when its node says that it received the message, on its own clock; NaN when it says nothing. */
  readonly receivedAt: Float64Array;
}

/** A node's columns, for the merge. */
export interface NodeColumns {
  readonly node_id: string;
  readonly events: EventColumns;
}

/** Columns that are not in order yet, and grow. */
export class ColumnBuilder {
  readonly #nodes = new Map<string, number>();
  readonly #messages: string[] = [];
  readonly #originators: number[] = [];
  readonly #sentAt: number[] = [];
  readonly #ends: number[] = [];
  #acks = 0;
  #targets = new Uint32Array(64);
  #ackedAt = new Float64Array(64);
  #receivedAt = new Float64Array(64);

  /** The index of a node. */
  node(id: string): number {
    const known = this.#nodes.get(id);
    if (known !== undefined) return known;
    this.#nodes.set(id, this.#nodes.size);
    return this.#nodes.size - 1;
  }

  /** Begins a message; the acknowledgements that follow are its own. `sentAt` is NaN when no send was recorded. */
  message(id: string, originator: number, sentAt: number): void {
    this.#messages.push(id);
    this.#originators.push(originator);
    this.#sentAt.push(sentAt);
    this.#ends.push(this.#acks);
  }

  ack(target: number, ackedAt: number, receivedAt: number): void {
    const at = this.#acks++;
    if (at === this.#targets.length) this.#grow();
    this.#targets[at] = target;
    this.#ackedAt[at] = ackedAt;
    this.#receivedAt[at] = receivedAt;
    this.#ends[this.#ends.length - 1] = this.#acks;
  }

  build(): EventColumns {
    return inOrder({
      nodes: [...this.#nodes.keys()],
      messages: this.#messages,
      originators: Uint32Array.from(this.#originators),
      sentAt: Float64Array.from(this.#sentAt),
      ends: Uint32Array.from(this.#ends),
      targets: this.#targets.subarray(0, this.#acks),
      ackedAt: this.#ackedAt.subarray(0, this.#acks),
      receivedAt: this.#receivedAt.subarray(0, this.#acks),
    });
  }

  #grow(): void {
    const wider = <A extends Uint32Array | Float64Array>(old: A, fresh: A): A => {
      fresh.set(old);
      return fresh;
    };
    const length = this.#targets.length * 2;
    this.#targets = wider(this.#targets, new Uint32Array(length));
    this.#ackedAt = wider(this.#ackedAt, new Float64Array(length));
    this.#receivedAt = wider(this.#receivedAt, new Float64Array(length));
  }
}

/** The columns of rows in any order; what has the unique key of an earlier row is left out. */
export function columnsOf(rows: readonly MessageEvent[]): EventColumns {
  const byMessage = Map.groupBy(rows, ({ message_id }) => message_id);
  const builder = new ColumnBuilder();
  for (const [id, events] of byMessage) {
    const sent = events.find(({ event_type }) => event_type === "sent");
    const originator = sent?.originating_node ?? least(events.map((event) => event.originating_node));
    builder.message(id, builder.node(originator), sent ? sent.event_timestamp : Number.NaN);
    const seen = new Set<string>();
    for (const { event_type, target_node, event_timestamp, receipt_timestamp } of events) {
      if (event_type !== "acked" || target_node === null || seen.has(target_node)) continue;
      seen.add(target_node);
      builder.ack(builder.node(target_node), event_timestamp, receipt_timestamp ?? Number.NaN);
    }
  }
  return builder.build();
}

function least(ids: readonly string[]): string {
  return ids.reduce((a, b) => (b < a ? b : a));
}

/**
 * Several nodes' records of one run as one: what is there twice by the unique key (message, type, target) counts once.
 * Where two nodes disagree the originator's own record wins, else that of the lowest node id.
 */
export function mergeColumns(parts: readonly NodeColumns[]): EventColumns {
  const filled = parts
    .filter(({ events }) => events.messages.length > 0)
    .toSorted((a, b) => (a.node_id < b.node_id ? -1 : 1));
  const [only] = filled;
  if (only && filled.length === 1) return only.events;
  const builder = new ColumnBuilder();
  const held = new Map<string, { readonly part: NodeColumns; readonly message: number }[]>();
  for (const part of filled) {
    part.events.messages.forEach((id, message) => {
      const others = held.get(id);
      if (others) others.push({ part, message });
      else held.set(id, [{ part, message }]);
    });
  }
  for (const [id, copies] of held) mergeMessage(builder, id, copies);
  return builder.build();
}

function mergeMessage(
  builder: ColumnBuilder,
  id: string,
  copies: readonly { readonly part: NodeColumns; readonly message: number }[],
): void {
  const own = ({ part, message }: (typeof copies)[number]) =>
    part.events.nodes[part.events.originators[message]!] === part.node_id;
  // Stable: behind the originator's own they stay in the order of their nodes.
  const preferred = copies.length === 1 ? copies : copies.toSorted((a, b) => Number(own(b)) - Number(own(a)));
  const sent =
    preferred.find(({ part, message }) => !Number.isNaN(part.events.sentAt[message])) ?? preferred[0]!;
  const { nodes, originators, sentAt } = sent.part.events;
  builder.message(id, builder.node(nodes[originators[sent.message]!]!), sentAt[sent.message]!);
  const seen = new Set<number>();
  for (const { part, message } of preferred) {
    const { ackedAt, ends, receivedAt, targets } = part.events;
    for (let ack = startOf(part.events, message); ack < ends[message]!; ack++) {
      const target = builder.node(part.events.nodes[targets[ack]!]!);
      if (seen.has(target)) continue;
      seen.add(target);
      builder.ack(target, ackedAt[ack]!, receivedAt[ack]!);
    }
  }
}

/** Where the acknowledgements of a message begin. */
export function startOf({ ends }: EventColumns, message: number): number {
  return message === 0 ? 0 : ends[message - 1]!;
}

/** Messages by their send, then by id; those without a send last. */
function inOrder(columns: EventColumns): EventColumns {
  const { ackedAt, ends, messages, originators, receivedAt, sentAt, targets } = columns;
  const before = (a: number, b: number): number => {
    const [x, y] = [sentAt[a]!, sentAt[b]!];
    if (x !== y && !(Number.isNaN(x) && Number.isNaN(y))) {
      if (Number.isNaN(x)) return 1;
      return Number.isNaN(y) || x < y ? -1 : 1;
    }
    return messages[a]! < messages[b]! ? -1 : 1;
  };
  if (messages.every((_, m) => m === 0 || before(m - 1, m) < 0)) return columns;
  const order = Uint32Array.from(messages, (_, m) => m).sort(before);
  const sorted = {
    ends: new Uint32Array(ends.length),
    targets: new Uint32Array(targets.length),
    ackedAt: new Float64Array(ackedAt.length),
    receivedAt: new Float64Array(receivedAt.length),
  };
  let filled = 0;
  order.forEach((from, to) => {
    const [start, end] = [startOf(columns, from), ends[from]!];
    sorted.targets.set(targets.subarray(start, end), filled);
    sorted.ackedAt.set(ackedAt.subarray(start, end), filled);
    sorted.receivedAt.set(receivedAt.subarray(start, end), filled);
    filled += end - start;
    sorted.ends[to] = filled;
  });
  return {
    nodes: columns.nodes,
    messages: Array.from(order, (m) => messages[m]!),
    originators: Uint32Array.from(order, (m) => originators[m]!),
    sentAt: Float64Array.from(order, (m) => sentAt[m]!),
    ...sorted,
  };
}
