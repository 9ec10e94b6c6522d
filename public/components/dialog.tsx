/** @module A dialog over the page: the browser's own, which keeps the focus inside and closes by Escape. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

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
  useEffect(() => {
    const opener = document.activeElement;
    element.current?.showModal();
    return () => {
      // It has left the page by now: the browser gives the focus back only for one that closes on it.
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
