/** @module A message that is not stored yet: on its way, tried again, or refused. */
import { Button } from "../../components/button.tsx";
import { Spinner } from "../../components/spinner.tsx";
import { confirmed } from "../../shell/confirm.tsx";
import { Bubble, TextBody } from "./message-row.tsx";
import { ATTEMPTS, type Outgoing } from "./outbox.ts";
import type { Outbox } from "./use-outbox.ts";

export interface OutgoingRowProps {
  readonly out: Outgoing;
  readonly outbox: Outbox;
}

export function OutgoingRow({ out, outbox }: OutgoingRowProps) {
  return (
    <div data-outgoing={out.state.kind}>
      <Bubble
        own={out.sender === "user"}
        passing
        head={<span class="min-w-0 truncate font-medium text-ink">{out.senderId}</span>}
        foot={<OutgoingState out={out} outbox={outbox} />}
      >
        <TextBody text={out.text} />
      </Bubble>
    </div>
  );
}

function OutgoingState({ out: { attempts, key, state }, outbox }: OutgoingRowProps) {
  const discard = async () => {
    const text = "It is stored nowhere: what you wrote is gone then.";
    if (await confirmed({ title: "Discard this message?", text, action: "Discard message" }))
      outbox.discard(key);
  };
  if (state.kind === "failed") {
    return (
      <div class="mt-1 flex max-w-full flex-wrap items-center justify-end gap-2 text-xs">
        <span class="min-w-0 text-bad wrap-anywhere">Not sent: {state.reason}</span>
        <span class="flex gap-1">
          {!state.final && (
            <Button size="small" onPress={() => outbox.retry(key)}>
              Retry
            </Button>
          )}
          <Button size="small" tone="quiet" onPress={discard}>
            Discard
          </Button>
        </span>
      </div>
    );
  }
  return (
    <p class="mt-1 flex items-center gap-1.5 text-xs text-muted">
      <Spinner />
      {attempts === 0 ? "Sending" : `Attempt ${attempts + 1} of ${ATTEMPTS}`}
      {state.kind === "waiting" && `: ${state.reason}`}
    </p>
  );
}
