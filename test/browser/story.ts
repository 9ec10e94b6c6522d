/** @module What has happened on the nodes before their pictures are taken: conversations, messages, an experiment. */
import assert from "node:assert/strict";
import type { JsonObject } from "../../lib/json.ts";
import type { Session } from "../../services/conversations/contract.ts";
import { ask } from "../helpers/console.ts";
import { until } from "../helpers/until.ts";
import type { Dashboard } from "./dashboard.ts";

export interface Story {
  /** The conversation that is looked at. */
  readonly session: Session;
  readonly experiment: string;
}

const USER = "maya";

/** Who says what, in their order. */
const TRIP = [
  ["agent", "Good morning, Maya. Your flight to Lisbon on Friday leaves at 09:40. Shall I look for a hotel?"],
  ["user", "Yes please, two nights, close to the river and not above 140 € a night."],
  ["agent", "I found three. Casa do Rio is a five-minute walk from the water: 128 € with breakfast."],
  ["user", "That sounds right. Is there a later flight back on Sunday?"],
  ["agent", "There is one at 20:15, for 34 € more. It arrives at 23:55."],
  ["user", "Book the hotel and the later flight."],
  ["agent", "Done: Casa do Rio, Friday to Sunday, and TP 1357 on Sunday at 20:15. Both are paid."],
  ["agent", "The receipts are in your inbox. I will remind you to check in on Thursday evening."],
] as const;

const OTHERS = [
  ["billing-agent", "The invoice for October was sent to the new address."],
  ["support-agent", "Ticket 4182 is solved: the import now reads dates with dots."],
  ["research-agent", "Here are the five papers on gossip protocols that you asked for."],
] as const;

const NEWS = [
  "eu-west: cache warmed, 1,204 keys",
  "schema 14 applied on all replicas",
  "feature flag new-checkout set to 25 %",
  "us-east: certificate renewed until March",
  "price list 2291 published",
  "rate limit of partner 77 raised to 600/min",
  "ap-south: standby promoted in 1.8 s",
  "feature flag new-checkout set to 50 %",
  "nightly export finished, 88 MB",
] as const;

const RUN = { message_count: 40, interval_ms: 150, payload_bytes: 512 };
const RUN_LIMIT_MS = 60_000;

/** Lets it happen; ends when the experiment is over and everything was acknowledged. */
export async function tellStory({ url }: Dashboard): Promise<Story> {
  const send = async (node: number, target: string, body: object): Promise<JsonObject> => {
    const reply = await ask({ url: url(node) }, target, body);
    assert.ok(reply.status < 300, `${target}: ${reply.text}`);
    return reply.body;
  };
  const session = async (agent: string) =>
    (await send(1, "POST /api/sessions", { user_id: USER, agent_id: agent })).session as unknown as Session;
  const say = ({ id }: Session, who: object, text: string) =>
    send(2, `POST /api/sessions/${id}/messages`, { ...who, content: { text } });

  for (const [agent, text] of OTHERS) await say(await session(agent), { agent_id: agent }, text);
  const trip = await session("travel-agent");
  for (const [who, text] of TRIP)
    await say(trip, who === "user" ? { user_id: USER } : { agent_id: trip.agent_id }, text);
  // All but the last two are read.
  const read = { user_id: USER, last_seq: TRIP.length - 2 };
  await send(1, `POST /api/sessions/${trip.id}/read`, read);

  const run = async (transport: string): Promise<string> => {
    const id = `spread-${transport}`;
    await send(1, "POST /api/analytics/aggregation/start", { experiment_id: id, transport, ...RUN });
    await until(
      `${id} is over`,
      async () => {
        const { body } = await ask({ url: url(1) }, `GET /api/analytics/experiments/${id}/summary`);
        return (body.experiment as JsonObject | null)?.status === "completed";
      },
      RUN_LIMIT_MS,
    );
    return id;
  };
  await run("pubsub");
  const experiment = await run("gossip");
  for (const [i, content] of NEWS.entries()) await send(1 + (i % 3), "POST /api/messages/send", { content });
  return { session: trip, experiment };
}
