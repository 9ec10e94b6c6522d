/** @module Light, dark, or as the system has it; remembered. `static/theme.js` applies it before the first paint. */
import { signal } from "@preact/signals";

export const THEMES = ["light", "dark", "system"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "fleetport.theme";
const systemDark = matchMedia("(prefers-color-scheme: dark)");

export const theme = signal<Theme>(remembered());

systemDark.addEventListener("change", apply);

export function chooseTheme(chosen: Theme): void {
  theme.value = chosen;
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // Storage may be switched off: then it holds until the page is closed.
  }
  apply();
}

function apply(): void {
  const dark = theme.value === "dark" || (theme.value === "system" && systemDark.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

function remembered(): Theme {
  try {
    const stored = localStorage.getItem(KEY);
    return THEMES.find((one) => one === stored) ?? "system";
  } catch {
    return "system"; // as above
  }
}
