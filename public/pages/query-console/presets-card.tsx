/** @module The ready-made queries of the node. */
import type { QueryPreset } from "../../../services/corrosion/contract.ts";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { classes } from "../../components/classes.ts";
import type { Resource } from "../../data/resource.ts";

export interface PresetsCardProps {
  readonly presets: Resource<{ readonly presets: readonly QueryPreset[] }>;
  /** The one that stands in the editor, unchanged. */
  readonly chosen: string | null;
  readonly onChoose: (preset: QueryPreset) => void;
}

export function PresetsCard({ presets, chosen, onChoose }: PresetsCardProps) {
  return (
    <ResourceCard
      title="Presets"
      flush
      lines={12}
      resource={presets}
      at={() => null}
      empty={({ presets: all }) => (all.length === 0 ? "This node has no presets." : null)}
    >
      {({ presets: all }) => (
        <ul class="max-h-72 divide-y divide-line/70 overflow-y-auto lg:max-h-none">
          {all.map((preset) => (
            <li key={preset.id}>
              <button
                type="button"
                aria-pressed={preset.id === chosen}
                class={classes(
                  "block w-full px-4 py-2 text-left -outline-offset-2! transition-colors hover:bg-raised",
                  preset.id === chosen && "bg-accent-soft hover:bg-accent-soft",
                )}
                onClick={() => onChoose(preset)}
              >
                <span class="flex items-center justify-between gap-2">
                  <span class="font-medium">{preset.label}</span>
                  <Badge tone={preset.sql === null ? "info" : "plain"}>{preset.badge}</Badge>
                </span>
                <span class="mt-0.5 block text-xs text-muted">{preset.description}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </ResourceCard>
  );
}
