/** @module When a page can be used: data are on the screen, and a button reacts. */
import type { Page } from "playwright-core";

export interface Use {
  /** Selector of what shows the data, and a text in it. */
  readonly data: readonly [selector: string, text: string];
  /** Text, or label, with which the button begins that is pressed as soon as the data are there. */
  readonly button: string;
  /** Selector of what is there because of that. */
  readonly reaction: string;
}

export interface Usable {
  /** Milliseconds from the start of the navigation until each was drawn. */
  readonly data: number;
  readonly reaction: number;
}

/** For `prepare` of a visit: the page itself looks, for a look from outside would cost as much as what it measures. */
export function watchUse(page: Page, use: Use): Promise<unknown> {
  return page.addInitScript(lookForUse, use);
}

/** Waits for both; then, in milliseconds, when they were. */
export async function usable(page: Page, timeout: number): Promise<Usable> {
  await page.waitForFunction(() => performance.getEntriesByName("use-reaction").length > 0, null, {
    timeout,
  });
  return page.evaluate(() => {
    const at = (name: string) => performance.getEntriesByName(name)[0]?.startTime ?? Number.NaN;
    return { data: at("use-data"), reaction: at("use-reaction") };
  });
}

/** Runs in the page before its own scripts. */
function lookForUse({ data: [place, text], button, reaction }: Use): void {
  let state: "loading" | "shown" | "pressed" | "done" = "loading";
  /** After the frame that draws what was just found. */
  const whenDrawn = (work: () => void) => requestAnimationFrame(() => setTimeout(work));
  const shows = (element: Element) =>
    element.getClientRects().length > 0 && element.textContent?.includes(text);
  const isButton = (element: HTMLElement) =>
    (element.getAttribute("aria-label") ?? element.textContent ?? "").startsWith(button);
  const look = () => {
    if (state === "loading" && [...document.querySelectorAll(place)].some(shows)) {
      const found = [...document.querySelectorAll<HTMLElement>("button, [role=gridcell]")].find(isButton);
      if (found === undefined) return;
      state = "shown";
      whenDrawn(() => {
        performance.mark("use-data");
        state = "pressed";
        found.focus();
        found.click();
        look();
      });
    }
    if (state === "pressed" && document.querySelector(reaction) !== null) {
      state = "done";
      observer.disconnect();
      whenDrawn(() => performance.mark("use-reaction"));
    }
  };
  const observer = new MutationObserver(look);
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
}
