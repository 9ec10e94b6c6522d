/** @module The agent's configuration as it stands in its file, tokens redacted by the node. */
import type { NodeConfiguration } from "../../../services/corrosion/contract.ts";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { copyText } from "../../components/copy.tsx";
import { Notice } from "../../components/notice.tsx";
import { sentenceOf } from "../../data/api-error.ts";
import { dataOf, type Resource } from "../../data/resource.ts";

export function TomlCard({ configuration }: { readonly configuration: Resource<NodeConfiguration> }) {
  const toml = dataOf(configuration)?.toml ?? null;
  return (
    <ResourceCard
      title="Configuration (TOML)"
      resource={configuration}
      lines={10}
      note={dataOf(configuration)?.canonical === true && <Badge>canonical</Badge>}
      actions={
        toml !== null && (
          <Button size="small" onPress={() => copyText(toml, "configuration")}>
            Copy
          </Button>
        )
      }
    >
      {({ path, problem }) => (
        <div class="space-y-2">
          <p class="font-mono text-xs break-all text-muted">{path}</p>
          {problem !== null && <Notice tone="bad">{sentenceOf(problem)}</Notice>}
          {toml === null ? (
            <p class="text-muted">There is no text to show.</p>
          ) : (
            <section
              // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
              tabIndex={0}
              aria-label="Text of the configuration"
              class="max-h-96 overflow-auto rounded-md border border-line bg-canvas"
            >
              <pre class="p-3 font-mono text-xs leading-5">{toml}</pre>
            </section>
          )}
        </div>
      )}
    </ResourceCard>
  );
}
