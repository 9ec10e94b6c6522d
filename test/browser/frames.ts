/** @module How smoothly a page draws while much happens, how busy its thread is, and what it keeps of it. */
import assert from "node:assert/strict";
import type { CDPSession, Page } from "playwright-core";
import { loadShare } from "../helpers/machine-load.ts";

const FRAMES_PER_SECOND = 30;
/** Of each second, for the page's own thread: what is left is for the person. */
const BUSY_MS = 500;
/** Seconds of a run in which one may be another program's, which holds the processor for a moment. */
const MANY_SECONDS = 5;

export interface Drawn {
  /** Frames of each whole second. */
  readonly frames: readonly number[];
  /** Processor time of the page's thread in all, and how long it had. */
  readonly busyMs: number;
  readonly ms: number;
}

/** What the page holds once all that it does not need is gone. */
export interface Held {
  readonly heapBytes: number;
  readonly domNodes: number;
}

export class Frames {
  readonly #page: Page;
  readonly #cdp: CDPSession;

  private constructor(page: Page, cdp: CDPSession) {
    this.#page = page;
    this.#cdp = cdp;
  }

  static async of(page: Page): Promise<Frames> {
    const cdp = await page.context().newCDPSession(page);
    // Processor time, which does not grow while other programs have the processor.
    await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
    return new Frames(page, cdp);
  }

  /** Counts while the work is done. */
  async during(work: () => Promise<unknown>): Promise<Drawn> {
    const before = await this.#metric("TaskDuration");
    const began = performance.now();
    await this.#page.evaluate(markFrames);
    await work();
    const frames = await this.#page.evaluate(countFrames);
    const busyMs = ((await this.#metric("TaskDuration")) - before) * 1000;
    return { frames, busyMs, ms: performance.now() - began };
  }

  async held(): Promise<Held> {
    // What only weak references hold goes with the second collection.
    for (let round = 0; round < 2; round++) await this.#cdp.send("HeapProfiler.collectGarbage");
    return { heapBytes: await this.#metric("JSHeapUsedSize"), domNodes: await this.#metric("Nodes") };
  }

  async #metric(name: string): Promise<number> {
    const { metrics } = await this.#cdp.send("Performance.getMetrics");
    const found = metrics.find((metric) => metric.name === name);
    assert.ok(found, `Chromium tells ${name}`);
    return found.value;
  }
}

/**
 * Fails when frames are missing, or the page was busier than it may be. Other programs cost frames, so that single
 * seconds only count on a quiet machine, and of many all but the worst; processor time is the page's own.
 */
export function assertSmooth({ frames, busyMs, ms }: Drawn): void {
  const share = loadShare();
  const average = frames.reduce((sum, count) => sum + count, 0) / frames.length;
  const busy = (busyMs * 1000) / ms;
  const told =
    `${average.toFixed(1)} frames/s (${frames.join(" ")}), ` +
    `${busy.toFixed()} ms of each second busy, at ${share.toFixed(1)} times the machine's load`;
  assert.ok(average >= FRAMES_PER_SECOND / share, told);
  const [worst = 0, second = 0] = frames.toSorted((a, b) => a - b);
  const judged = frames.length < MANY_SECONDS ? worst : second;
  assert.ok(share > 1 || judged >= FRAMES_PER_SECOND, told);
  assert.ok(busy <= BUSY_MS, told);
}

/** Runs in the page: a mark a frame. */
function markFrames(): void {
  for (const name of ["frame", "frames-end"]) performance.clearMarks(name);
  const frame = () => {
    if (performance.getEntriesByName("frames-end").length > 0) return;
    performance.mark("frame");
    requestAnimationFrame(frame);
  };
  frame();
}

/** Runs in the page. */
function countFrames(): readonly number[] {
  const { startTime: end } = performance.mark("frames-end");
  const times = performance.getEntriesByName("frame").map(({ startTime }) => startTime);
  const began = times[0] ?? end;
  const counts = Array.from({ length: Math.floor((end - began) / 1000) }, () => 0);
  for (const time of times) {
    const second = Math.floor((time - began) / 1000);
    if (second < counts.length) counts[second] = (counts[second] ?? 0) + 1;
  }
  performance.clearMarks("frame");
  return counts;
}
