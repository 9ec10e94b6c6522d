/** @module What a page can subscribe to at `/api/stream`, and which events of the bus each topic brings. */
import { ConsoleRefused } from "./console-errors.ts";

export interface Topic {
  /** As it was asked for. */
  readonly name: string;
  /** Names of the events on the bus, which are those of the stream too. */
  readonly events: readonly string[];
  /** Only events of this experiment. */
  readonly experiment: string | null;
}

interface Kind {
  readonly events: readonly string[];
  /** `cluster`: events of every node. `node`: those of this node alone. */
  readonly scope: "node" | "cluster";
  /** What tells where things stand when a page connects, and as which event; null: nothing to tell. */
  readonly state: { readonly action: string; readonly event: string } | null;
}

const told = (event: string, action: string, scope: Kind["scope"] = "node"): Kind => ({
  events: [event],
  scope,
  state: { action, event },
});
const untold = (...events: string[]): Kind => ({ events, scope: "node", state: null });

/** Topics of one stream at most. */
const MAX_TOPICS = 20;
const EXPERIMENT = "analytics:";
/** The id of an experiment (contract corroport, section 7). */
const EXPERIMENT_ID = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;

/** Section 2 of the contract. */
const KINDS = {
  message_updates: {
    ...untold("message_updates"),
    state: { action: "corrosion.subscriber.status", event: "subscriber_status" },
  },
  ack_events: told("ack_events", "acks.tracker.status"),
  reception_updates: {
    ...untold("reception_updates"),
    state: { action: "acks.sender.status", event: "sender_status" },
  },
  cluster_membership: told("cluster_membership", "corrosion.members.get"),
  agent_state: told("agent_state", "corrosion.agent.status"),
  config_job: told("config_job", "corrosion.config.job"),
  cluster_config_coordination: told("cluster_config_coordination", "corrosion.coordinator.status", "cluster"),
  corrosion: untold("corrosion.restarting", "corrosion.ready", "corrosion.restart_failed"),
  groups: {
    ...untold(
      "raft.leader.changed",
      "raft.leader.ended",
      "raft.replica.halted",
      "archive.stalled",
      "archive.resumed",
    ),
    scope: "cluster",
  },
} as const satisfies Readonly<Record<string, Kind>>;

const ANALYTICS: Kind = untold("analytics_events");

const TOPIC_NAMES: readonly string[] = [...Object.keys(KINDS), `${EXPERIMENT}{id}`];

/** Every event that some topic brings. */
export const STREAMED_EVENTS: readonly string[] = [...Object.values(KINDS), ANALYTICS].flatMap(
  ({ events }) => events,
);

const CLUSTER_EVENTS = new Set(
  Object.values(KINDS).flatMap(({ scope, events }) => (scope === "cluster" ? events : [])),
);

/** The topics of `?topics=a,b`, each once. Throws 400 `unknown_topic` with all names for any other, and for none. */
export function parseTopics(text: string | undefined): readonly Topic[] {
  const names = new Set((text ?? "").split(",").map((name) => name.trim()));
  if (names.size > MAX_TOPICS) {
    throw new ConsoleRefused(400, "too_many_topics", `one stream takes at most ${MAX_TOPICS} topics`);
  }
  return [...names].map((name) => {
    const kind = kindOf(name);
    if (kind === null) {
      const wrong = name === "" ? "topics is required" : `there is no topic "${name.slice(0, 80)}"`;
      throw new ConsoleRefused(400, "unknown_topic", `${wrong}: give some of ${TOPIC_NAMES.join(", ")}`);
    }
    const experiment = name.startsWith(EXPERIMENT) ? name.slice(EXPERIMENT.length) : null;
    return { name, events: kind.events, experiment };
  });
}

function kindOf(name: string): Kind | null {
  if (Object.hasOwn(KINDS, name)) return KINDS[name as keyof typeof KINDS];
  return name.startsWith(EXPERIMENT) && EXPERIMENT_ID.test(name.slice(EXPERIMENT.length)) ? ANALYTICS : null;
}

/** What to ask, when a page connects, for where a topic stands; null: nothing. */
export function stateOf({ name }: Topic): Kind["state"] {
  return kindOf(name)?.state ?? null;
}

/** An event as it came. */
export interface Incoming {
  readonly event: string;
  /** Node that sent it. */
  readonly sender: string | null;
  readonly payload: unknown;
}

/** Whether this node's pages are shown an event: local ones of other nodes never are. */
export function concerns(nodeId: string, { event, sender, payload }: Incoming): boolean {
  if (CLUSTER_EVENTS.has(event)) return true;
  if (sender !== null && sender !== nodeId) return false;
  const named = field(payload, "node_id");
  return named === undefined || named === nodeId;
}

/** Whether a topic brings an event. */
export function brings(topic: Topic, { event, payload }: Pick<Incoming, "event" | "payload">): boolean {
  if (!topic.events.includes(event)) return false;
  return topic.experiment === null || field(payload, "experiment_id") === topic.experiment;
}

function field(payload: unknown, name: string): unknown {
  return typeof payload === "object" && payload !== null
    ? (payload as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
