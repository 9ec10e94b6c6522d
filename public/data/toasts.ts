/** @module What the page tells the person: every outcome is a toast. Errors stay until they are closed, others 4 s. */
import { signal } from "@preact/signals";
import { sentenceOf } from "./api-error.ts";

export interface Toast {
  readonly id: number;
  readonly tone: "good" | "bad" | "info";
  readonly text: string;
}

const SHOWN_MS = 4000;
/** Older ones give way, but errors, which stay until somebody has closed them. */
const MAX = 5;

export const toasts = signal<readonly Toast[]>([]);

const timers = new Map<number, ReturnType<typeof setTimeout>>();
let lastId = 0;

/** Closes a toast. */
export function closeToast(id: number): void {
  clearTimeout(timers.get(id));
  timers.delete(id);
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

function show(tone: Toast["tone"], text: string): void {
  // The same sentence twice says nothing new.
  for (const { id } of toasts.value.filter((toast) => toast.text === text)) closeToast(id);
  lastId += 1;
  const id = lastId;
  toasts.value = [...toasts.value, { id, tone, text }];
  const passing = toasts.value.filter((toast) => toast.tone !== "bad");
  const spare = Math.max(0, toasts.value.length - MAX);
  for (const { id: older } of passing.slice(0, -1).slice(0, spare)) closeToast(older);
  if (tone !== "bad")
    timers.set(
      id,
      setTimeout(() => closeToast(id), SHOWN_MS),
    );
}

export const toast = {
  success: (text: string) => show("good", text),
  info: (text: string) => show("info", text),
  /** Takes an error, or a sentence. */
  error: (error: unknown) => show("bad", sentenceOf(error)),
};

/**
 * Does something that a person asked for and tells how it ended: `done` (a sentence, or made from the result) or the
 * node's own sentence after `failed`. Returns the result; null when it failed.
 */
export async function tell<T>(
  work: () => Promise<T>,
  { done, failed }: { readonly done: string | ((result: T) => string); readonly failed: string },
): Promise<T | null> {
  try {
    const result = await work();
    toast.success(typeof done === "string" ? done : done(result));
    return result;
  } catch (error) {
    toast.error(`${failed}: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}
