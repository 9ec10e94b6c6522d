/** @module The square that says which colour is meant. */

export function Swatch({ colour }: { readonly colour: string }) {
  return (
    <span
      aria-hidden="true"
      class="inline-block size-2.5 shrink-0 rounded-sm"
      style={{ backgroundColor: colour }}
    />
  );
}
