/** @module One Chromium for the suite, and pages that notice what goes wrong in them. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { ensureChromium } from "./chromium.ts";
import { type Look, WIDE } from "./looks.ts";

const SCREENSHOTS = join(import.meta.dirname, "screenshots");
const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const ACTION_LIMIT_MS = 15_000;
const HEIGHT = 900;

let browser: Promise<Browser> | null = null;

after(async () => {
  await (await browser)?.close();
});

export interface Visit {
  /** Origin of a node, e.g. `http://127.0.0.1:4001`. */
  readonly url: string;
  readonly path: string;
  readonly look?: Look;
  /** Messages of the console that belong to the test, such as that of a request which it lets fail. */
  readonly expected?: readonly RegExp[];
  /** Called before the page is opened: the place for `page.route`, `page.clock` and the like. */
  readonly prepare?: (page: Page) => Promise<unknown>;
  /** Whether what moves stands still; default true, so that screenshots do not depend on the moment. */
  readonly still?: boolean;
}

export interface Visited {
  readonly page: Page;
  readonly look: Look;
  /** Keeps a picture as `screenshots/<name>-<theme>-<width>.png`. */
  picture(name: string): Promise<void>;
  /** How much of the page has jumped without anybody's doing: the layout shift score so far; 0 is none. */
  shifts(): Promise<number>;
  /** What has jumped so far, a line each: how much, and the elements. */
  shifted(): Promise<string>;
  /**
   * Closes the page, and fails for each error of its console, each exception, each breach of its policy. With `name`
   * it leaves a picture if none was taken.
   */
  close(name?: string): Promise<void>;
}

/** Opens a page in a context of its own. */
export async function visit({
  url,
  path,
  look = WIDE,
  expected = [],
  prepare,
  still = true,
}: Visit): Promise<Visited> {
  browser ??= ensureChromium().then((executablePath) => chromium.launch({ executablePath, args: ARGS }));
  const context = await (await browser).newContext({
    viewport: { width: look.width, height: HEIGHT },
    colorScheme: look.theme,
    reducedMotion: still ? "reduce" : "no-preference",
    permissions: ["clipboard-read", "clipboard-write"],
    baseURL: url,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(ACTION_LIMIT_MS);
  const wrong: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning", "assert"].includes(message.type()))
      wrong.push(`${message.type()}: ${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => wrong.push(`exception: ${error.message}`));
  await page.addInitScript(watchPage);
  await prepare?.(page);
  await page.goto(path);

  let pictured = false;
  async function picture(name: string): Promise<void> {
    mkdirSync(SCREENSHOTS, { recursive: true });
    const file = `${name}-${look.theme}-${look.width}.png`;
    // Else what sticks to the top of the screen stands in the middle of the picture.
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: join(SCREENSHOTS, file), fullPage: true, timeout: ACTION_LIMIT_MS });
    pictured = true;
  }

  return {
    page,
    look,
    picture,
    shifts: () => page.evaluate(() => Number(document.documentElement.dataset.testShifts ?? 0)),
    shifted: () => page.evaluate(() => document.documentElement.dataset.testShifted ?? ""),
    async close(name) {
      // What it says while it is taken apart is nobody's: all that came before this answer is told.
      await page.evaluate(() => undefined).catch(() => undefined);
      const said = [...wrong];
      // The test has looked at what it is for: this one is for people.
      if (name !== undefined && !pictured) await picture(name).catch(() => undefined);
      // A handler that is asking the node at this moment must not fail in the next test.
      await page.unrouteAll({ behavior: "ignoreErrors" });
      await context.close();
      const unexpected = said.filter((text) => !expected.some((pattern) => pattern.test(text)));
      assert.deepEqual(unexpected, [], `the console of ${path}`);
    },
  };
}

/** Runs in the page before its own scripts. */
function watchPage(): void {
  document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
  });
  interface LayoutShift extends PerformanceEntry {
    readonly value: number;
    readonly hadRecentInput: boolean;
    readonly sources: readonly { readonly node: Node | null }[];
  }
  let shifts = 0;
  const shifted: string[] = [];
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries() as LayoutShift[]) {
      if (hadRecentInput) continue;
      shifts += value;
      const moved = sources.map(({ node }) => `${node?.nodeName} "${node?.textContent?.slice(0, 80)}"`);
      shifted.push(`${value.toFixed(6)} ${moved.join(", ")}`);
    }
    document.documentElement.dataset.testShifts = String(shifts);
    document.documentElement.dataset.testShifted = shifted.join("\n");
  }).observe({ type: "layout-shift", buffered: true });
}
