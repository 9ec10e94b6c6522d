/** @module What a committed entry means to readers: its messages in RAM, and on their way to sockets. */
import type { Outcome } from "../../lib/conversation/apply.ts";
import type { Command } from "../../lib/conversation/commands.ts";
import type { Fanout } from "../../lib/fanout/fanout.ts";
import { sessionSubject } from "../../lib/ids.ts";
import type { Message, SessionMessages } from "../conversations/contract.ts";
import type { HotMessages } from "./hot-messages.ts";
import { hotMessage, messageView } from "./views.ts";

/** Caches and publishes the messages of an entry of this leader epoch, one publication a session. */
export function publishMessages(
  { fanout, hot }: { readonly fanout: Fanout; readonly hot: HotMessages },
  epoch: number,
  outcomes: readonly Outcome[],
  commands: readonly Command[],
): void {
  const bySession = new Map<string, Message[]>();
  outcomes.forEach((outcome, i) => {
    const command = commands[i]!;
    if (outcome.kind !== "appended" || command.t !== "append") return;
    const message = messageView(command, outcome.seq);
    hot.put(hotMessage(command, message));
    const messages = bySession.get(message.session_id);
    if (messages) messages.push(message);
    else bySession.set(message.session_id, [message]);
  });
  for (const [session, messages] of bySession) {
    const event: SessionMessages = { type: "messages", session_id: session, epoch, messages };
    fanout.publish(sessionSubject(session), event);
  }
}
