/** @module Something is under way. */

export function Spinner() {
  return (
    <svg
      viewBox="0 0 16 16"
      class="size-3.5 animate-spin"
      aria-hidden="true"
      fill="none"
      stroke="currentColor"
    >
      <circle cx="8" cy="8" r="6" stroke-width="2" opacity="0.25" />
      <path d="M14 8a6 6 0 0 0-6-6" stroke-width="2" stroke-linecap="round" />
    </svg>
  );
}
