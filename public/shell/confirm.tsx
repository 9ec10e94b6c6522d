/** @module The question before something is destroyed, or changes more than the person may think of. */
import { signal } from "@preact/signals";
import { Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";

export interface Question {
  readonly title: string;
  /** What will be lost, and what cannot be undone. */
  readonly text: string;
  /** On the button: what happens, e.g. `Delete experiment`. */
  readonly action: string;
  /** For what can be taken back. Default `danger`. */
  readonly tone?: "primary" | "danger";
}

const open = signal<(Question & { readonly answer: (yes: boolean) => void }) | null>(null);

/** `if (await confirmed({...})) …`: true only when the person presses the button that says what happens. */
export function confirmed(question: Question): Promise<boolean> {
  open.peek()?.answer(false);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  open.value = {
    ...question,
    answer(yes) {
      open.value = null;
      resolve(yes);
    },
  };
  return promise;
}

export function ConfirmDialog() {
  const question = open.value;
  if (question === null) return null;
  return (
    <Dialog title={question.title} onCancel={() => question.answer(false)}>
      <p class="mt-2 text-sm break-words text-muted">{question.text}</p>
      <div class="mt-5 flex justify-end gap-2">
        <Button onPress={() => question.answer(false)}>Cancel</Button>
        <Button tone={question.tone ?? "danger"} onPress={() => question.answer(true)}>
          {question.action}
        </Button>
      </div>
    </Dialog>
  );
}
