/** @module A node's name, which leads to that node's own dashboard. */

export interface NodeLinkProps {
  readonly id: string;
  /** Where its gateway is; null when it does not say. */
  readonly url: string | null;
  /** The page there, e.g. `/groups`. */
  readonly page: string;
}

/** A link only to what a browser opens as a page. */
export function NodeLink({ id, url, page }: NodeLinkProps) {
  if (url === null || !/^https?:\/\//.test(url)) return <span class="truncate font-mono text-xs">{id}</span>;
  return (
    <a
      class="truncate rounded font-mono text-xs text-accent underline-offset-2 hover:underline"
      href={`${url.replace(/\/$/, "")}${page}`}
      title={`The dashboard of ${id}`}
    >
      {id}
    </a>
  );
}
