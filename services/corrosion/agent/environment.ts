/** @module The environment of an agent: only what a program needs to run at all. */

/**
 * Real Corrosion takes every variable for a setting (`DB`, `LOG`, `API__ADDR`…), and what configures this node is no
 * business of its agent.
 */
const KEPT =
  /^(PATH|HOME|USER|LOGNAME|LANG|LC_[A-Z]+|TZ|TMPDIR|SSL_CERT_(FILE|DIR)|RUST_(LOG|BACKTRACE)|NO_COLOR)$/;

/** The variables of `env` that an agent gets. */
export function agentEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value !== undefined && KEPT.test(name) ? [[name, value] as const] : [],
    ),
  );
}
