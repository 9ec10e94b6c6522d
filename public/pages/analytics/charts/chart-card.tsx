/** @module A card with one chart, which can be kept as a file. */
import type { PlotOptions } from "@observablehq/plot";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { Button } from "../../../components/button.tsx";
import { Card } from "../../../components/card.tsx";
import { Chart } from "../../../components/chart.tsx";
import { tell } from "../../../data/toasts.ts";
import type { LegendEntry } from "./legend.ts";
import { pngOf, saveFile, svgText } from "./svg-file.ts";

export interface ChartCardProps {
  readonly title: string;
  /** The run, for the picture and its file. */
  readonly run: string;
  /** Behind the title: that the data are stale. */
  readonly note: ComponentChildren;
  /** Null: there is nothing to draw, and `nothing` says why. */
  readonly options: PlotOptions | null;
  readonly nothing: string;
  /** What is drawn, for screen readers. */
  readonly label: string;
  /** Of the picture; on the page `children` explains the colours. */
  readonly legend: readonly LegendEntry[];
  /** What the person pointed at when she clicked. */
  readonly onPick?: (datum: unknown) => void;
  /** Below the chart: legend, remarks. */
  readonly children?: ComponentChildren;
}

export const CHART_HEIGHT = 280;

export function ChartCard(props: ChartCardProps) {
  const { title, run, note, options, nothing, label, legend, onPick, children } = props;
  const box = useRef<HTMLDivElement>(null);

  async function keep(kind: "svg" | "png"): Promise<void> {
    await tell(
      async () => {
        const drawn = box.current?.querySelector("svg");
        if (!drawn) throw new Error("it is not drawn yet");
        const svg = svgText(drawn, { title: `${title} – ${run}`, legend });
        const blob = kind === "svg" ? new Blob([svg], { type: "image/svg+xml" }) : await pngOf(svg);
        saveFile(blob, `experiment_${run}_${title.toLowerCase().replaceAll(" ", "-")}.${kind}`);
      },
      { done: `${title} saved as ${kind.toUpperCase()}.`, failed: "The picture was not saved" },
    );
  }

  // Plot keeps what is pointed at as the value of the element that it makes.
  function pick(): void {
    const drawn: (Element & { readonly value?: unknown }) | null | undefined =
      box.current?.querySelector(".chart")?.firstElementChild;
    if (drawn?.value) onPick?.(drawn.value);
  }

  return (
    <Card
      title={title}
      note={note}
      actions={(["svg", "png"] as const).map((kind) => (
        <Button
          key={kind}
          size="small"
          disabled={options === null}
          label={`Save ${title} as ${kind.toUpperCase()}`}
          onPress={() => keep(kind)}
        >
          {kind.toUpperCase()}
        </Button>
      ))}
    >
      {options === null ? (
        <p
          class="flex items-center justify-center rounded-md bg-raised/50 text-center text-muted"
          style={{ minHeight: `${CHART_HEIGHT}px` }}
        >
          {nothing}
        </p>
      ) : (
        // biome-ignore lint/a11y/noStaticElementInteractions: the same choice is made by the buttons of the legend
        // biome-ignore lint/a11y/useKeyWithClickEvents: the same
        <div ref={box} onClick={onPick && pick}>
          <Chart label={label} options={options} height={CHART_HEIGHT} />
        </div>
      )}
      <div class="mt-2 min-h-12">{children}</div>
    </Card>
  );
}
