/** @module All of one message. */
import type { MessageRow } from "../../../services/corrosion/contract.ts";
import { Button } from "../../components/button.tsx";
import { Copy } from "../../components/copy.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { NodeName } from "../../components/node-name.tsx";
import { timeText } from "../../data/wording.ts";

export interface MessageDialogProps {
  readonly row: MessageRow;
  readonly close: () => void;
}

export function MessageDialog({ row, close }: MessageDialogProps) {
  return (
    <Dialog title="Message" onCancel={close}>
      <dl class="mt-3 grid grid-cols-[auto_1fr] items-baseline gap-x-4 gap-y-1 text-sm">
        <dt class="text-xs text-muted">Key</dt>
        <dd class="min-w-0">
          <Copy text={row.pk} what="message key" />
        </dd>
        <dt class="text-xs text-muted">Node</dt>
        <dd class="min-w-0 break-all">
          <NodeName id={row.node_id} />
        </dd>
        <dt class="text-xs text-muted">Region</dt>
        <dd class="min-w-0 break-all">{row.region}</dd>
        <dt class="text-xs text-muted">Time</dt>
        <dd class="min-w-0 break-all" title={row.timestamp}>
          {timeText(row.timestamp)}
        </dd>
        <dt class="text-xs text-muted">Acks to</dt>
        <dd class="min-w-0 font-mono text-xs break-all">{row.originating_endpoint}</dd>
      </dl>
      <section
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label="Text of the message"
        class="mt-3 max-h-80 overflow-auto rounded-md bg-raised p-3 text-sm break-words whitespace-pre-wrap"
      >
        {row.message}
      </section>
      <div class="mt-4 flex justify-end">
        <Button onPress={close}>Close</Button>
      </div>
    </Dialog>
  );
}
