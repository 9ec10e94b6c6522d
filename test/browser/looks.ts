/** @module How people look at the dashboard: both themes, a wide and a narrow screen. */

export interface Look {
  readonly theme: "light" | "dark";
  /** Pixels. */
  readonly width: 390 | 1280;
}

export const WIDE: Look = { theme: "light", width: 1280 };

export const LOOKS: readonly Look[] = [
  WIDE,
  { theme: "dark", width: 1280 },
  { theme: "light", width: 390 },
  { theme: "dark", width: 390 },
];

export function lookText({ theme, width }: Look): string {
  return `${theme}, ${width} px`;
}
