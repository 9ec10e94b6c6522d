/** @module Takes a node out of placement, and back; asks before either. */
import type { FleetNode } from "../../../services/raft/fleet-status.ts";
import { Button } from "../../components/button.tsx";
import { send } from "../../data/api.ts";
import { tell } from "../../data/toasts.ts";
import { countText } from "../../data/wording.ts";
import { confirmed } from "../../shell/confirm.tsx";

export interface DrainButtonProps {
  readonly node: FleetNode;
  /** Nodes that could take its groups. */
  readonly others: number;
  readonly refetch: () => Promise<void>;
}

export function DrainButton({ node, others, refetch }: DrainButtonProps) {
  const { available, draining, id } = node;
  if (draining) {
    return (
      <Button
        size="small"
        label={`Undrain ${id}`}
        disabled={!available}
        onPress={() => undrain(node, refetch)}
      >
        Undrain
      </Button>
    );
  }
  return (
    <Button
      size="small"
      label={`Drain ${id}`}
      disabled={!available || others === 0}
      {...(others === 0 && { title: "No other node takes groups." })}
      onPress={() => drain(node, others, refetch)}
    >
      Drain
    </Button>
  );
}

async function drain({ id, leads }: FleetNode, others: number, refetch: () => Promise<void>): Promise<void> {
  const question = {
    title: `Drain ${id}?`,
    text: `It hands the ${countText(leads, "group")} that it leads to ${others === 1 ? "the other node" : `the ${others} other nodes`}, one after the other; no message is lost. Then it leads nothing and counts as not ready, until you undrain it or end it: its process goes on.`,
    action: `Drain ${id}`,
  };
  if (!(await confirmed(question))) return;
  await order(id, "drain", {
    done: `Node ${id} hands its groups over.`,
    failed: `Node ${id} was not drained`,
  });
  await refetch();
}

async function undrain({ id, leads }: FleetNode, refetch: () => Promise<void>): Promise<void> {
  const question = {
    title: `Undrain ${id}?`,
    text: `It takes part in placement again: ${leads > 0 ? "it keeps what it still leads, and " : ""}the groups for which it ranks first come to it from the nodes that lead them now. No message is lost.`,
    action: `Undrain ${id}`,
    tone: "primary",
  } as const;
  if (!(await confirmed(question))) return;
  await order(id, "undrain", {
    done: `Node ${id} takes groups again.`,
    failed: `Node ${id} was not undrained`,
  });
  await refetch();
}

function order(id: string, what: string, told: Parameters<typeof tell>[1]): Promise<unknown> {
  return tell(() => send("POST", `/api/fleet/nodes/${encodeURIComponent(id)}/${what}`), told);
}
