/** @module Links to what the node gives as a file. */

export interface DownloadLinksProps {
  /** What is in it, for screen readers. */
  readonly what: string;
  readonly path: (format: "json" | "csv") => string;
}

export function DownloadLinks({ what, path }: DownloadLinksProps) {
  return (
    <>
      {(["json", "csv"] as const).map((format) => (
        <a
          key={format}
          class="inline-flex h-7 items-center rounded-md border border-line bg-surface px-2 text-xs font-medium transition hover:border-line-strong hover:bg-raised"
          href={path(format)}
          download
          aria-label={`${what} as ${format.toUpperCase()}`}
        >
          {format.toUpperCase()}
        </a>
      ))}
    </>
  );
}
