/** @module The day of a message, as it stands between messages, and its time of day. Pure. */

const DAY_MS = 24 * 60 * 60 * 1000;

/** `Today`, `Yesterday`, or the date, of an ISO time here; the text itself when it is no time. */
export function dayText(iso: string, now: number): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const day = date.toDateString();
  if (day === new Date(now).toDateString()) return "Today";
  if (day === new Date(now - DAY_MS).toDateString()) return "Yesterday";
  return date.toLocaleDateString("en-GB", {
    weekday: "long",
    day: "numeric",
    month: "long",
    year: "numeric",
  });
}

/** Whether a new day begins with `iso`, after a message of `before`; the first message begins one. */
export function beginsDay(iso: string, before: string | undefined): boolean {
  return before === undefined || new Date(iso).toDateString() !== new Date(before).toDateString();
}

/** The time of day here, to the second; the text itself when it is no time. */
export function clockText(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : date.toLocaleTimeString("en-GB");
}
