/** @module Which rows of a long list are in sight: the rest is not drawn. */

export interface Window {
  /** First row that is drawn, and the one after the last. */
  readonly from: number;
  readonly to: number;
}

export interface Sight {
  readonly count: number;
  readonly rowHeight: number;
  readonly scrollTop: number;
  readonly height: number;
  /** Rows more, above and below, so that fast scrolling shows no gap. */
  readonly overscan: number;
}

/** Pixels all; never outside 0..count. */
export function windowOf({ count, rowHeight, scrollTop, height, overscan }: Sight): Window {
  const first = Math.floor(Math.max(0, scrollTop) / rowHeight);
  const shown = Math.ceil(height / rowHeight);
  const from = Math.min(Math.max(0, count - shown), Math.max(0, first - overscan));
  return { from: Math.max(0, Math.min(from, first)), to: Math.min(count, first + shown + overscan) };
}
