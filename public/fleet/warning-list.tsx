/** @module The fleet's warnings, each told once. */
import { Notice } from "../components/notice.tsx";
import type { Warning } from "./warnings.ts";

export function WarningList({ warnings }: { readonly warnings: readonly Warning[] }) {
  return (
    <div class="space-y-2">
      {warnings.map(({ tone, text }) => (
        // By its text, so that a screen reader does not speak it again with each answer.
        <Notice key={text} tone={tone}>
          {text}
        </Notice>
      ))}
    </div>
  );
}
