/** @module A chart as a file of its own: the colours that the page's style gives written out, a title, a legend. */
import { type LegendEntry, legendPlaces, MARGIN, SWATCH, withValues } from "./legend.ts";
import { shapePath } from "./shapes.ts";

export interface PictureText {
  readonly title: string;
  readonly legend: readonly LegendEntry[];
}

const SVG = "http://www.w3.org/2000/svg";
const FONT = "system-ui, sans-serif";
const TITLE = 24;
const ROW = 18;
const PNG_SCALE = 2;

/** The text of an SVG file that shows `drawn` as it is on the page now. */
export function svgText(drawn: SVGSVGElement, { title, legend }: PictureText): string {
  const style = getComputedStyle(drawn);
  const resolved = (value: string) => withValues(value, (name) => style.getPropertyValue(name));
  const width = Number(drawn.getAttribute("width"));
  const height = Number(drawn.getAttribute("height"));
  const { places, rows } = legendPlaces(legend, width);
  const above = MARGIN + TITLE + rows * ROW;

  const file = element("svg", {
    width: width + 2 * MARGIN,
    height: above + height + MARGIN,
    color: style.color,
    "font-family": FONT,
    role: "img",
    "aria-label": title,
  });
  file.setAttribute("viewBox", `0 0 ${width + 2 * MARGIN} ${above + height + MARGIN}`);
  file.append(element("rect", { width: "100%", height: "100%", fill: resolved("var(--surface)") }));
  file.append(label(title, { x: MARGIN, y: MARGIN + 12, "font-size": 13, "font-weight": 600 }));
  for (const { colour, row, shape, text, x } of places) {
    const y = MARGIN + TITLE + row * ROW;
    const transform = `translate(${MARGIN + x + 5},${y + 5})`;
    file.append(element("path", { d: shapePath(shape, 4.5), transform, fill: resolved(colour) }));
    file.append(label(text, { x: MARGIN + x + SWATCH, y: y + 9, "font-size": 11 }));
  }
  const chart = drawn.cloneNode(true) as SVGSVGElement;
  chart.setAttribute("x", String(MARGIN));
  chart.setAttribute("y", String(above));
  chart.removeAttribute("aria-hidden");
  // Where somebody points is not part of the picture.
  for (const tip of chart.querySelectorAll('[aria-label="tip"]')) tip.remove();
  for (const part of [chart, ...chart.querySelectorAll("*")]) {
    for (const { name, value } of [...part.attributes])
      if (value.includes("var(")) part.setAttribute(name, resolved(value));
  }
  file.append(chart);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(file)}`;
}

/** The same as a picture of dots, twice as fine as the screen's. Rejects when the browser cannot draw it. */
export async function pngOf(svg: string): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.width * PNG_SCALE;
    canvas.height = image.height * PNG_SCALE;
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("the browser has no canvas for pictures");
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const { promise, resolve } = Promise.withResolvers<Blob | null>();
    canvas.toBlob(resolve, "image/png");
    const blob = await promise;
    if (blob === null) throw new Error("the browser could not make the picture");
    return blob;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Gives the file to the person. */
export function saveFile(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function element(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

function label(text: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = element("text", { fill: "currentColor", ...attributes });
  made.textContent = text;
  return made;
}
