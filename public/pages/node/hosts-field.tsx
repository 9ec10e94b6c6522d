/** @module Bootstrap hosts as a person writes them, and what is wrong with each of them. */
import { Field } from "../../components/field.tsx";
import { countText } from "../../data/wording.ts";
import type { HostProblem } from "./host-problems.ts";

export interface HostsFieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly problems: readonly HostProblem[];
  readonly disabled: boolean;
}

export function HostsField({ value, onChange, problems, disabled }: HostsFieldProps) {
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
        error={problems.length === 0 ? null : `${countText(problems.length, "problem")} with these hosts:`}
      />
      {problems.length > 0 && (
        <ul class="mt-1 list-disc space-y-0.5 pl-5 text-xs text-bad" aria-label="Problems with hosts">
          {problems.map(([host, problem]) => (
            <li key={host} class="break-words" data-host={host}>
              {problem}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
