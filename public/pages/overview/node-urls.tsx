/** @module What machines ask this node: whether it lives, whether it takes traffic, its metrics, the fleet. */

const URLS = [
  ["/health/live", "the process answers"],
  ["/health/ready", "it takes traffic"],
  ["/metrics", "for Prometheus"],
  ["/api/fleet/status", "the fleet as JSON"],
] as const;

export function NodeUrls() {
  return (
    <p class="flex flex-wrap gap-x-5 gap-y-1 text-xs text-muted">
      {URLS.map(([path, what]) => (
        <span key={path}>
          <a class="rounded font-mono text-accent underline-offset-2 hover:underline" href={path}>
            {path}
          </a>{" "}
          {what}
        </span>
      ))}
    </p>
  );
}
