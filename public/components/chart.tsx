/** @module A chart of Observable Plot, as wide as its place, drawn in a way that the page's policy allows. */
import { type PlotOptions, plot } from "@observablehq/plot";
import { useEffect, useRef } from "preact/hooks";

export interface ChartProps {
  /** What it shows, for screen readers. */
  readonly label: string;
  /** Drawn anew when this is another object: keep it (`useMemo`) as long as the data are the same. Width comes by itself. */
  readonly options: PlotOptions;
  /** Pixels; kept free before the first drawing, so that nothing jumps. */
  readonly height?: number;
}

const NARROWEST = 240;

export function Chart({ label, options, height = 280 }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const box = place.current;
    if (box === null) return undefined;
    let drawnWidth = -1;
    const observer = new ResizeObserver(() => {
      if (box.clientWidth === drawnWidth) return;
      drawnWidth = box.clientWidth;
      box.replaceChildren(draw({ ...options, height, width: Math.max(NARROWEST, drawnWidth) }));
    });
    observer.observe(box);
    return () => observer.disconnect();
  }, [options, height]);
  return (
    <div
      ref={place}
      role="img"
      aria-label={label}
      class="chart min-w-0"
      style={{ minHeight: `${height}px` }}
    />
  );
}

/**
 * Plot brings its rules as an element of the SVG, which the policy forbids: they stand in style.css instead. It names its
 * groups, which no rule of ARIA allows; the place around it says in words what is drawn.
 */
function draw(options: PlotOptions): Element {
  const drawn = plot(options);
  for (const style of drawn.querySelectorAll("style")) style.remove();
  drawn.setAttribute("aria-hidden", "true");
  drawn.setAttribute("font-size", "11");
  return drawn;
}
