/** @module Bootstrap hosts, one beside the other. */

export interface HostListProps {
  readonly title: string;
  readonly hosts: readonly string[];
}

export function HostList({ title, hosts }: HostListProps) {
  return (
    <div>
      <h3 class="mb-1 text-xs font-semibold">{title}</h3>
      {hosts.length === 0 ? (
        <p class="text-muted">None: the node waits to be found.</p>
      ) : (
        <ul class="flex flex-wrap gap-1.5" aria-label={title}>
          {hosts.map((host) => (
            <li key={host} class="rounded bg-raised px-2 py-0.5 font-mono text-xs break-all">
              {host}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
