/** @module The services that run on this node, those of the groups put together. */
import { useState } from "preact/hooks";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { dataOf } from "../../data/resource.ts";
import type { FactsProps } from "./runtime-card.tsx";
import { familiesOf } from "./service-families.ts";

export function ServicesCard({ facts }: FactsProps) {
  const [all, setAll] = useState(false);
  const services = dataOf(facts)?.services ?? [];
  const families = familiesOf(services);
  const shown = all ? services.map((name) => ({ name, members: [name] })) : families;
  return (
    <ResourceCard
      title="Services"
      resource={facts}
      lines={7}
      at={() => null}
      note={services.length > 0 && <Badge>{services.length}</Badge>}
      empty={() => (services.length === 0 ? "This node says nothing of its services." : null)}
      actions={
        families.length < services.length && (
          <Button size="small" tone="quiet" pressed={all} onPress={() => setAll(!all)}>
            {all ? "Show groups together" : `Show all (${services.length})`}
          </Button>
        )
      }
    >
      {() => (
        <ul class="flex flex-wrap gap-1.5">
          {shown.map(({ name, members }) => (
            <li key={name} class="rounded bg-raised px-2 py-0.5 font-mono text-xs break-all">
              {name}
              {members.length > 1 && (
                <span class="ml-1.5 font-sans text-muted tabular-nums">× {members.length}</span>
              )}
            </li>
          ))}
        </ul>
      )}
    </ResourceCard>
  );
}
