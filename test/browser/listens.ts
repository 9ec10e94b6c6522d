/** @module Waiting until a page hears what a test is about to tell it. */
import type { Page } from "playwright-core";

/** Resolves when the page's stream brings the topic: it never hears of what was told before. */
export async function listens(page: Page, topic: string): Promise<void> {
  await page.locator(`html[data-stream*="${topic}"]`).waitFor({ state: "attached" });
}
