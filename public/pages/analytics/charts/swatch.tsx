/** @module The shape in a colour that says which mark of a chart is meant. */
import { type Shape, shapePath } from "./shapes.ts";

export interface SwatchProps {
  readonly colour: string;
  readonly shape: Shape;
  /** Of something that is not drawn. */
  readonly hollow?: boolean;
}

export function Swatch({ colour, shape, hollow = false }: SwatchProps) {
  return (
    <svg aria-hidden="true" class="size-3 shrink-0" viewBox="-6 -6 12 12">
      <path
        d={shapePath(shape, 4.2)}
        fill={hollow ? "none" : colour}
        stroke={hollow ? colour : "none"}
        stroke-width="1.5"
      />
    </svg>
  );
}
