/** @module What to send: its content, checked while it is written, and the buttons. */
import { useRef, useState } from "preact/hooks";
import { AckButtons } from "../../acks/ack-buttons.tsx";
import { sendMessage } from "../../acks/actions.ts";
import { bytesOf, contentProblem, MAX_CONTENT_BYTES } from "../../acks/content.ts";
import { Card } from "../../components/card.tsx";
import { Field } from "../../components/field.tsx";

export function SendForm({ done }: { readonly done: () => void }) {
  const [content, setContent] = useState("");
  /** Of the last try: the page's own sentence, or the node's. */
  const [refused, setRefused] = useState<string | null>(null);
  const [sending, setSending] = useState(false);
  const latest = useRef(content);
  latest.current = content;
  // An empty field is no mistake before somebody tries to send it.
  const problem = content === "" ? null : contentProblem(content);

  function change(text: string): void {
    setContent(text);
    setRefused(null);
  }

  async function submit(): Promise<void> {
    if (sending) return;
    const wrong = contentProblem(content);
    setRefused(wrong);
    if (wrong !== null) return;
    setSending(true);
    try {
      const outcome = await sendMessage(content);
      if (outcome.kind === "failed") setRefused(outcome.problem);
      // What was typed meanwhile is the next message.
      else if (latest.current === content) setContent("");
    } finally {
      setSending(false);
    }
  }

  return (
    <Card title="Send">
      <form
        class="space-y-3"
        onSubmit={(event) => event.preventDefault()}
        onKeyDown={async (event) => {
          if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          await submit();
          done();
        }}
      >
        <Field
          label="Content"
          rows={3}
          value={content}
          onChange={change}
          error={refused ?? problem}
          hint={`${bytesOf(content).toLocaleString("en")} of ${MAX_CONTENT_BYTES.toLocaleString("en")} bytes; Ctrl + Enter sends`}
          placeholder="Hello from here"
        />
        <AckButtons send={submit} sending={sending} done={done} />
      </form>
    </Card>
  );
}
