/** @module Bootstrap hosts as a person writes them, and what is wrong with each of them. */
import { Field } from "../../components/field.tsx";
import { countText } from "../../data/wording.ts";
import { stillWrong } from "./host-problems.ts";

export interface HostsFieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** By the host, as the node names them. */
  readonly problems: Readonly<Record<string, string>>;
  readonly disabled: boolean;
}

export function HostsField({ value, onChange, problems, disabled }: HostsFieldProps) {
  const wrong = stillWrong(problems, value);
  return (
    <div>
      <Field
        label="Bootstrap hosts"
        mono
        value={value}
        onChange={onChange}
        disabled={disabled}
        maxLength={20_000}
        placeholder="node2:8788, 10.0.0.3:8787, [fdaa::3]:8787"
        hint="name:port, ipv4:port or [ipv6]:port, with commas between them. Empty: the node waits to be found."
        error={wrong.length === 0 ? null : `${countText(wrong.length, "problem")} with these hosts:`}
      />
      {wrong.length > 0 && (
        <ul class="mt-1 list-disc space-y-0.5 pl-5 text-xs text-bad" aria-label="Problems with hosts">
          {wrong.map(([host, problem]) => (
            <li key={host} class="break-words" data-host={host}>
              {problem}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
