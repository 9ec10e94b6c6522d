/** @module Whether a saved file is a picture: what a browser sees when it opens it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";

export interface Seen {
  readonly width: number;
  readonly height: number;
  /** How many dots have each colour, by `r,g,b`. */
  readonly colours: Readonly<Record<string, number>>;
}

/** Clicks on what saves a picture, and gives the file's text or bytes. */
export async function savedBy(page: Page, button: string): Promise<{ name: string; bytes: Buffer }> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: button, exact: true }).click(),
  ]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

/** The picture as a browser decodes it; fails where it cannot. A page of its own has nothing that the file could lean on. */
export async function seen(near: Page, bytes: Buffer, type: "image/png" | "image/svg+xml"): Promise<Seen> {
  const page = await near.context().newPage();
  try {
    return await page.evaluate(
      async (url) => {
        const image = new Image();
        image.src = url;
        await image.decode();
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.width, image.height];
        const context = canvas.getContext("2d")!;
        context.drawImage(image, 0, 0);
        const { data } = context.getImageData(0, 0, image.width, image.height);
        const colours: Record<string, number> = {};
        for (let at = 0; at < data.length; at += 4) {
          const colour = `${data[at]},${data[at + 1]},${data[at + 2]}`;
          colours[colour] = (colours[colour] ?? 0) + 1;
        }
        return { width: image.width, height: image.height, colours };
      },
      `data:${type};base64,${bytes.toString("base64")}`,
    );
  } finally {
    await page.close();
  }
}

/** Fails unless this colour, `#rrggbb`, fills at least so many dots. */
export function assertColour({ colours }: Seen, colour: string, least: number): void {
  const key = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)).join();
  assert.ok((colours[key] ?? 0) >= least, `${colours[key] ?? 0} dots of ${colour}, expected ${least}`);
}
