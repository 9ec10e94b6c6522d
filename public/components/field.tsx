/** @module A labelled input with its hint, and its error where the person looks. */
import { useId } from "preact/hooks";
import { classes } from "./classes.ts";

export interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly type?: "text" | "number" | "password";
  /** One sentence; null or empty: fine. */
  readonly error?: string | null;
  readonly hint?: string;
  readonly placeholder?: string;
  readonly required?: boolean;
  readonly disabled?: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly maxLength?: number;
  /** More than one: a text area. */
  readonly rows?: number;
  /** Code: fixed width, no spelling marks. */
  readonly mono?: boolean;
  readonly autoFocus?: boolean;
}

export function Field(props: FieldProps) {
  const { label, value, onChange, type = "text", error, hint, rows = 1, mono = false } = props;
  const id = useId();
  const note = error || hint;
  const shared = {
    id,
    value,
    class: classes(
      "w-full rounded-md border bg-surface px-2.5 text-ink transition-colors placeholder:text-muted",
      "disabled:cursor-not-allowed disabled:opacity-60",
      mono ? "font-mono text-xs" : "text-sm",
      error ? "border-bad" : "border-line-strong/60 hover:border-line-strong",
      rows > 1 ? "py-1.5" : "h-8",
    ),
    placeholder: props.placeholder,
    required: props.required,
    disabled: props.disabled,
    maxLength: props.maxLength,
    autoFocus: props.autoFocus,
    spellcheck: !mono,
    autocomplete: "off" as const,
    "aria-invalid": Boolean(error),
    "aria-describedby": note ? `${id}-note` : undefined,
    onInput: (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value),
  };
  return (
    <div class="min-w-0">
      <label for={id} class="mb-1 block text-xs font-medium text-muted">
        {label}
      </label>
      {rows > 1 && <textarea {...shared} rows={rows} />}
      {rows === 1 && type === "text" && <input {...shared} type="text" />}
      {rows === 1 && type === "password" && <input {...shared} type="password" />}
      {rows === 1 && type === "number" && <input {...shared} type="number" min={props.min} max={props.max} />}
      {note && (
        <p
          id={`${id}-note`}
          class={classes("mt-1 text-xs", error ? "text-bad" : "text-muted")}
          role={error ? "alert" : undefined}
        >
          {note}
        </p>
      )}
    </div>
  );
}

export interface SelectProps<Value extends string> {
  readonly label: string;
  readonly value: Value;
  readonly options: readonly (readonly [value: Value, text: string])[];
  readonly onChange: (value: Value) => void;
  readonly disabled?: boolean;
}

export function Select<Value extends string>({
  label,
  value,
  options,
  onChange,
  disabled,
}: SelectProps<Value>) {
  const id = useId();
  return (
    <div class="min-w-0">
      <label for={id} class="mb-1 block text-xs font-medium text-muted">
        {label}
      </label>
      <select
        id={id}
        value={value}
        disabled={disabled}
        class="h-8 w-full rounded-md border border-line-strong/60 bg-surface px-2 text-sm text-ink transition-colors hover:border-line-strong disabled:cursor-not-allowed disabled:opacity-60"
        onChange={(event) => {
          const chosen = options.find(([option]) => option === event.currentTarget.value);
          if (chosen) onChange(chosen[0]);
        }}
      >
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}
