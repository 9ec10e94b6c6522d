/** @module Chooses the theme before anything is painted; `shell/theme.ts` changes it later. */
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("fleetport.theme");
  } catch {
    // Storage may be switched off: then the theme is the system's.
  }
  const dark =
    chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
