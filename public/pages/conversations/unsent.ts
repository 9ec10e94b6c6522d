/** @module What is written and not sent yet, for each session, for as long as the dashboard is open. */

const texts = new Map<string, string>();

export function unsentText(sessionId: string): string {
  return texts.get(sessionId) ?? "";
}

export function keepUnsent(sessionId: string, text: string): void {
  if (text === "") texts.delete(sessionId);
  else texts.set(sessionId, text);
}
