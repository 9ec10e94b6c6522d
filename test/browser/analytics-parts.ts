/** @module Parts of the Analytics page, as its tests find them. */
import type { Locator, Page } from "playwright-core";

export function card(page: Page, title: string): Locator {
  return page.getByRole("region", { name: title, exact: true });
}

/** The text of one of the six numbers. */
export async function figure(page: Page, title: string): Promise<string> {
  return page
    .getByRole("heading", { name: title, exact: true })
    .locator("xpath=following-sibling::p[1]")
    .innerText();
}

/** How many nodes have a line in a chart. */
export function lineCount(page: Page, title: string): Promise<number> {
  return card(page, title).locator('svg g[aria-label="line"] path').count();
}

/** Texts of a table's cells, row by row. */
export async function cells(page: Page, label: string): Promise<string[][]> {
  const rows = page.getByRole("region", { name: label, exact: true }).locator("table tbody tr");
  const texts = await rows.evaluateAll((all) =>
    all.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.innerText.trim())),
  );
  return texts;
}
