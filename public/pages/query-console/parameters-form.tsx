/** @module The values of a statement's parameters, each with its type. */
import { Field, Select } from "../../components/field.tsx";
import type { Draft, Place } from "./draft.ts";
import { valueAt } from "./draft.ts";
import { VALUE_TYPES, type Value, type ValueType } from "./values.ts";

export interface ParametersFormProps {
  readonly draft: Draft;
  readonly places: readonly Place[];
  /** By the key of the place. */
  readonly problems: Readonly<Record<string, string>>;
  readonly onChange: (key: string, value: Value) => void;
}

export function ParametersForm({ draft, places, problems, onChange }: ParametersFormProps) {
  if (places.length === 0) return null;
  return (
    <fieldset class="grid gap-3 sm:grid-cols-2">
      <legend class="mb-1 text-xs font-semibold">Parameters</legend>
      {places.map((place) => (
        <Parameter
          key={place.key}
          place={place}
          value={valueAt(draft, place)}
          problem={problems[place.key] ?? null}
          onChange={(value) => onChange(place.key, value)}
        />
      ))}
    </fieldset>
  );
}

interface ParameterProps {
  readonly place: Place;
  readonly value: Value;
  readonly problem: string | null;
  readonly onChange: (value: Value) => void;
}

const TYPE_OPTIONS = VALUE_TYPES.map((type) => [type, type === "null" ? "NULL" : type] as const);
const BOOLEANS = [
  ["true", "true"],
  ["false", "false"],
] as const;

function Parameter({ place, value, problem, onChange }: ParameterProps) {
  const { key, type } = place;
  return (
    <div class="flex min-w-0 items-start gap-2">
      {type === null && (
        <div class="w-24 shrink-0">
          <Select<ValueType>
            label={`Type of ${key}`}
            value={value.type}
            options={TYPE_OPTIONS}
            onChange={(chosen) =>
              onChange({ type: chosen, text: chosen === "boolean" ? "true" : value.text })
            }
          />
        </div>
      )}
      <div class="min-w-0 flex-1">
        {value.type === "boolean" ? (
          <Select<"true" | "false">
            label={key}
            value={value.text === "true" ? "true" : "false"}
            options={BOOLEANS}
            onChange={(text) => onChange({ ...value, text })}
          />
        ) : (
          <Field
            label={type === null ? key : `${key} (${hintOf(place)})`}
            value={value.type === "null" ? "" : value.text}
            mono
            disabled={value.type === "null"}
            placeholder={value.type === "null" ? "NULL" : ""}
            error={problem}
            onChange={(text) => onChange({ ...value, text })}
          />
        )}
      </div>
    </div>
  );
}

function hintOf({ type, min }: Place): string {
  return min === undefined ? `${type}` : `${type}, at least ${min}`;
}
