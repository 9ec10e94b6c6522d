/** @module Propagation: where in the world the newest message of this node has arrived. */
import { AckButtons } from "../../acks/ack-buttons.tsx";
import { AckCard } from "../../acks/ack-card.tsx";
import { sendMessage } from "../../acks/actions.ts";
import { dnsProblem, useAcks } from "../../acks/use-acks.ts";
import { Notice } from "../../components/notice.tsx";
import { PageHeading } from "../../components/page-heading.tsx";
import { AckMapCard } from "./ack-map-card.tsx";

const CONTENT = "Propagation test";

export default function PropagationPage() {
  const acks = useAcks();
  const problem = dnsProblem(acks.dns);
  return (
    <div class="space-y-4">
      <PageHeading
        title="Geographic Distribution"
        actions={
          <AckButtons
            done={acks.changed}
            send={async () => {
              await sendMessage(CONTENT);
            }}
          />
        }
      >
        How far the newest message of this node has come.
      </PageHeading>
      {problem !== null && (
        <Notice tone="warn">
          <strong class="font-semibold">DNS:</strong> {problem} Nodes that DNS alone knows may not be waited
          for.
        </Notice>
      )}
      <div class="grid gap-4 xl:grid-cols-[2fr_1fr]">
        <AckMapCard acks={acks} />
        <AckCard acks={acks} />
      </div>
    </div>
  );
}
