/** @module Messages: what was sent in the cluster, who acknowledged this node's newest, and what was received how often. */
import { AckCard } from "../../acks/ack-card.tsx";
import { AckSummary } from "../../acks/ack-count.tsx";
import { useAcks } from "../../acks/use-acks.ts";
import { PageHeading } from "../../components/page-heading.tsx";
import { dataOf } from "../../data/resource.ts";
import { HeatmapCard } from "./heatmap-card.tsx";
import { MessagesCard } from "./messages-card.tsx";
import { SendForm } from "./send-form.tsx";
import { SenderLine } from "./sender-line.tsx";
import { useMessages } from "./use-messages.ts";
import { useReceptions } from "./use-receptions.ts";

export default function MessagesPage() {
  const acks = useAcks();
  const messages = useMessages();
  const receptions = useReceptions();
  // What the tracker calls itself is the name by which the node's receptions go.
  const own = dataOf(acks.resource)?.node_id ?? null;
  const changed = () => {
    acks.changed();
    messages.changed();
  };
  return (
    <div class="space-y-4">
      <PageHeading title="Messages">
        Sent by any node, spread by the agents, acknowledged by those who got them.
      </PageHeading>
      <div class="grid gap-4 lg:grid-cols-2">
        <SendForm done={changed} />
        <AckCard
          acks={acks}
          note={<AckSummary progress={acks.progress} state={dataOf(acks.resource)?.state ?? null} />}
        >
          {own !== null && <SenderLine receptions={receptions} own={own} />}
        </AckCard>
      </div>
      <HeatmapCard receptions={receptions} messages={messages.resource} />
      <MessagesCard messages={messages} />
    </div>
  );
}
