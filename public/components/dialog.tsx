/** @module A dialog over the page: the browser's own, which keeps the focus inside and closes by Escape. */
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";

export interface DialogProps {
  readonly title: string;
  /** Escape, or a click beside it. */
  readonly onCancel: () => void;
  readonly children: ComponentChildren;
}

/** Is there while it is drawn. */
export function Dialog({ title, onCancel, children }: DialogProps) {
  const id = useId();
  const element = useRef<HTMLDialogElement>(null);
  // At once, not after the next frame: a key that comes quickly is already the dialog's.
  useLayoutEffect(() => {
    const dialog = element.current;
    const opener = document.activeElement;
    dialog?.showModal();
    return () => {
      // What is behind an open dialog takes no focus; one that left the page gives none back.
      dialog?.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      aria-labelledby={id}
      class="m-auto w-[min(28rem,calc(100vw-2rem))] rounded-xl border border-line bg-surface p-0 text-ink shadow-xl transition backdrop:bg-black/50 starting:open:scale-95 starting:open:opacity-0"
      onCancel={(event) => {
        event.preventDefault();
        onCancel();
      }}
      onMouseDown={(event) => {
        if (event.target === element.current) onCancel();
      }}
    >
      <div class="p-5">
        <h2 id={id} class="text-base font-semibold">
          {title}
        </h2>
        {children}
      </div>
    </dialog>
  );
}
