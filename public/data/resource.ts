/** @module What a page knows of something that it has asked the node for. */
import type { ApiError } from "./api-error.ts";

/** Times are milliseconds since 1970. */
export type ResourceState<T> =
  | { readonly kind: "loading" }
  | { readonly kind: "ok"; readonly data: T; readonly at: number }
  /** The last good data, and why there are no newer ones. */
  | { readonly kind: "stale"; readonly data: T; readonly at: number; readonly error: ApiError | Error }
  | { readonly kind: "error"; readonly error: ApiError | Error };

export type Resource<T> = ResourceState<T> & {
  /** Whether a request is under way. */
  readonly busy: boolean;
  /** Asks again now; ends when the answer is there, and never rejects: a failure is the next state. */
  readonly reload: () => Promise<void>;
  /** The same after something was changed: the answer to a request that is under way may not show that yet. */
  readonly refetch: () => Promise<void>;
  /** Puts data in place that another answer brought. */
  readonly replace: (data: T) => void;
};

/** The data that can be shown; null: none yet. */
export function dataOf<T>(resource: ResourceState<T>): T | null {
  return resource.kind === "ok" || resource.kind === "stale" ? resource.data : null;
}

/** Why the newest request failed; null: it did not. */
export function errorOf(resource: ResourceState<unknown>): Error | null {
  return resource.kind === "error" || resource.kind === "stale" ? resource.error : null;
}

/** The state after a request failed: what was known stays, with its age. */
export function failed<T>(before: ResourceState<T>, error: Error): ResourceState<T> {
  return before.kind === "ok" || before.kind === "stale"
    ? { kind: "stale", data: before.data, at: before.at, error }
    : { kind: "error", error };
}
