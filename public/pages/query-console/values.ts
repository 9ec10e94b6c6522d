/** @module Values of parameters: typed by a person as text, with the type that they shall have. */

export type Scalar = null | boolean | number | string;

export const VALUE_TYPES = ["text", "integer", "real", "boolean", "null"] as const;
export type ValueType = (typeof VALUE_TYPES)[number];

export interface Value {
  readonly type: ValueType;
  /** As it was typed; `true` or `false` of a boolean, of no account for null. */
  readonly text: string;
}

export type Parsed =
  | { readonly kind: "ok"; readonly value: Scalar }
  | { readonly kind: "wrong"; readonly problem: string };

/** The value that goes to the node, or a sentence on what is wrong with it. */
export function parseValue({ type, text }: Value, min?: number): Parsed {
  switch (type) {
    case "null":
      return { kind: "ok", value: null };
    case "text":
      return { kind: "ok", value: text };
    case "boolean":
      return { kind: "ok", value: text === "true" };
    case "integer":
      return integer(text.trim(), min);
    case "real": {
      const value = Number(text);
      if (text.trim() === "" || !Number.isFinite(value)) return wrong("Write a number, such as 1.5.");
      return { kind: "ok", value };
    }
  }
}

function integer(text: string, min: number | undefined): Parsed {
  if (!/^[+-]?\d+$/.test(text)) return wrong("Write a whole number.");
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    return wrong("JSON cannot carry so great a number exactly: give it as text, and CAST it.");
  }
  if (min !== undefined && value < min) return wrong(`At least ${min}.`);
  return { kind: "ok", value };
}

function wrong(problem: string): Parsed {
  return { kind: "wrong", problem };
}

/** What a value of an earlier run was, as it would be typed. */
export function typedAs(value: unknown): Value {
  if (value === null || value === undefined) return { type: "null", text: "" };
  if (typeof value === "boolean") return { type: "boolean", text: String(value) };
  if (typeof value === "number") {
    return { type: Number.isSafeInteger(value) ? "integer" : "real", text: String(value) };
  }
  return { type: "text", text: String(value) };
}
