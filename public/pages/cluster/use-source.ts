/** @module One of the cluster's sources: what is known of it, why it fails, and how it is asked anew. */
import { api, send } from "../../data/api.ts";
import { sentenceOf } from "../../data/api-error.ts";
import { errorOf, type Resource, type ResourceState } from "../../data/resource.ts";
import type { Sourced } from "../../data/sourced.ts";
import type { StreamEvent } from "../../data/stream.ts";
import { useResource } from "../../data/use-resource.ts";

const POLL_MS = 15_000;
/** A refresh is asked about so often, and for so long: the command line of an agent may take 15 s. */
const LOOK_MS = 400;
const LOOK_LIMIT_MS = 20_000;

export type SourceName = "dns" | "members" | "corrosion" | "disagreements";

export interface Source<Data> {
  readonly name: SourceName;
  /** In a sentence: `DNS`, `The member list`. */
  readonly title: string;
  readonly resource: Resource<Sourced<Data>>;
  /** Why the newest look failed; null: it did not. */
  readonly problem: string | null;
  /** Asks the source itself, and ends when it has answered. Throws an Error with its sentence when that failed. */
  readonly refresh: () => Promise<void>;
}

export function useSource<Data>(
  name: SourceName,
  title: string,
  apply?: (answer: Sourced<Data>, event: StreamEvent) => Sourced<Data> | "refetch",
): Source<Data> {
  const path = `/api/cluster/${name}`;
  const resource = useResource<Sourced<Data>>(path, {
    topics: ["cluster_membership"],
    pollMs: POLL_MS,
    ...(apply && { apply }),
  });
  const { replace } = resource;

  async function refresh(): Promise<void> {
    let answer = await send<Sourced<Data>>("POST", `${path}/refresh`);
    const deadline = Date.now() + LOOK_LIMIT_MS;
    do {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      answer = await api<Sourced<Data>>(path);
    } while (answer.status === "fetching" && Date.now() < deadline);
    replace(answer);
    if (answer.error !== null) throw new Error(answer.error);
    if (answer.status === "fetching")
      throw new Error("there is still no answer: it shows here when it comes");
  }

  return { name, title, resource, problem: problemOf(resource), refresh };
}

function problemOf(resource: ResourceState<Sourced<unknown>>): string | null {
  const error = errorOf(resource);
  if (error !== null) return sentenceOf(error);
  return resource.kind === "ok" && resource.data.error !== null ? sentenceOf(resource.data.error) : null;
}
