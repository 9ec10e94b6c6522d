/** @module Goes through the themes: light, dark, system. */
import { chooseTheme, THEMES, type Theme, theme } from "./theme.ts";

const ICONS: Readonly<Record<Theme, string>> = {
  light:
    "M8 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7ZM8 .8v1.6M8 13.6v1.6M.8 8h1.6M13.6 8h1.6M2.9 2.9 4 4M12 12l1.1 1.1M2.9 13.1 4 12M12 4l1.1-1.1",
  dark: "M13.8 9.8A6.2 6.2 0 0 1 6.2 2.2a6.2 6.2 0 1 0 7.6 7.6Z",
  system: "M1.5 3h13v8.5h-13ZM5.5 14h5M8 11.5V14",
};

export function ThemeToggle() {
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? "system";
  return (
    <button
      type="button"
      class="rounded-md p-1.5 text-muted transition hover:bg-raised hover:text-ink active:scale-90"
      aria-label={`Theme: ${theme.value}. Change to ${next}`}
      title={`Theme: ${theme.value}`}
      onClick={() => chooseTheme(next)}
    >
      <svg
        viewBox="0 0 16 16"
        class="size-4"
        fill="none"
        stroke="currentColor"
        stroke-width="1.4"
        stroke-linecap="round"
        stroke-linejoin="round"
        aria-hidden="true"
      >
        <path d={ICONS[theme.value]} />
      </svg>
    </button>
  );
}
