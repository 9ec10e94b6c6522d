/** @module Pressing Retry on a page that also asks again by itself, at a time of its own. */
import type { Locator } from "playwright-core";

/**
 * Ends what fails by `mend` and presses the button right after it. Where the page asks by itself between the two, the
 * button is busy or gone: it is pressed when it is free, and left alone when nothing fails any more.
 */
export async function pressRetry(button: Locator, mend: () => void): Promise<void> {
  await button.click({ trial: true });
  const handle = await button.elementHandle();
  mend();
  await handle?.evaluate(async (element: HTMLElement) => {
    while (element.isConnected && element.ariaBusy === "true") await new Promise(requestAnimationFrame);
    element.click();
  });
}
