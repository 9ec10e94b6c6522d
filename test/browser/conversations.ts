/** @module Sessions that tests of the Conversations page make, and what people do with them there. */
import assert from "node:assert/strict";
import type { Locator, Page } from "playwright-core";
import type { Session } from "../../services/conversations/contract.ts";
import { ask } from "../helpers/console.ts";

export const AGENT_ID = "bot";

let users = 0;

/** A user whom no other test has. */
export function freshUser(): string {
  users += 1;
  return `user-${Date.now() % 1_000_000}-${users}`;
}

/** A session on the node at `url`, with `messages` messages of the agent: `word 1`, `word 2` … */
export async function makeSession(
  url: string,
  messages: number,
  { user = freshUser(), agent = AGENT_ID, id }: { user?: string; agent?: string; id?: string } = {},
): Promise<Session> {
  const { body, status } = await ask({ url }, "POST /api/sessions", {
    user_id: user,
    agent_id: agent,
    ...(id !== undefined && { id }),
  });
  assert.equal(status, 201);
  const made = body.session as unknown as Session;
  for (let i = 1; i <= messages; i++) await agentSays(url, made, { text: `word ${i}` });
  return made;
}

/** The session's agent appends a message, through the node at `url`. */
export async function agentSays(url: string, { agent_id, id }: Session, content: object): Promise<void> {
  const { status } = await ask({ url }, `POST /api/sessions/${id}/messages`, { agent_id, content });
  assert.equal(status, 200);
}

const AT_ONCE = 50;

/** The session's agent appends many messages, in no certain order: many at once, which takes a fraction of the time. */
export async function agentSaysMuch(url: string, made: Session, count: number): Promise<void> {
  for (let done = 0; done < count; done += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - done) }, (_, i) => done + i + 1);
    await Promise.all(some.map((i) => agentSays(url, made, { text: `one of many: ${i}` })));
  }
}

/** Where a session is open. */
export function placeOf({ id, user_id }: Pick<Session, "id" | "user_id">): string {
  return `/conversations?user_id=${encodeURIComponent(user_id)}&session_id=${encodeURIComponent(id)}`;
}

export function log(page: Page): Locator {
  return page.getByRole("log", { name: "Messages" });
}

/** A session in the list. */
export function rowOf(page: Page, { id }: Pick<Session, "id">): Locator {
  return page.getByRole("listitem").filter({ hasText: id }).getByRole("button");
}

/** Waits until messages come as they are written. */
export async function isLive(page: Page, limitMs?: number): Promise<void> {
  await page
    .locator("[data-lamp=socket]")
    .getByText("live", { exact: true })
    .waitFor(limitMs === undefined ? {} : { timeout: limitMs });
}

/** Writes a message and sends it. */
export async function write(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

/** Seqs of the messages that are drawn, from above. */
export function drawnSeqs(page: Page): Promise<number[]> {
  return log(page)
    .locator("article")
    .evaluateAll((rows) => rows.map((row) => Number(row.getAttribute("data-seq"))));
}

/** Whether all of an element can be seen in the list of messages. */
export function inSight(element: Locator): Promise<boolean> {
  return element.evaluate((found) => {
    const { top, bottom } = found.getBoundingClientRect();
    const box = found.closest("[role=log]")!.getBoundingClientRect();
    return top >= box.top && bottom <= box.bottom;
  });
}
