/** @module The routes of subscriptions and updates: endless streams of NDJSON. */
import { readStatement } from "../json/statements.ts";
import {
  type Attachment,
  type Listener,
  type StartAt,
  SubscriptionRefused,
  type Subscriptions,
  type Updates,
} from "../subscriptions/contract.ts";
import { type Answer, json, type Outlet, streamError, text } from "./answer.ts";
import { type QueryString, Rejected, readJson } from "./bodies.ts";
import type { Route } from "./server.ts";

const HYPHENATED = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
/** 32 digits, or with hyphens, then also in braces or as a URN. */
const UUID = new RegExp(`^(?:([0-9a-f]{32})|(?:urn:uuid:)?(${HYPHENATED})|\\{(${HYPHENATED})\\})$`, "i");
const CONCURRENCY = 128;

/** `POST /v1/subscriptions` and `GET /v1/subscriptions/{id}`. */
export function subscriptionRoutes(subscriptions: Subscriptions): Route[] {
  return [
    {
      method: "POST",
      path: "/v1/subscriptions",
      concurrency: CONCURRENCY,
      handle: async ({ request, query }) => {
        const at = startAt(query);
        const statement = await readJson(request, readStatement);
        return followed("subscriptions", () => subscriptions.subscribe(statement, at));
      },
    },
    {
      method: "GET",
      path: "/v1/subscriptions/{id}",
      concurrency: CONCURRENCY,
      handle: async ({ param, query }) => {
        const [, ...spellings] = UUID.exec(param) ?? [];
        const id = spellings.find((spelling) => spelling !== undefined);
        if (id === undefined) {
          throw new Rejected(
            text(400, `Invalid URL: Cannot parse \`id\` with value \`${param}\`: it is no UUID`),
          );
        }
        const at = startAt(query);
        return followed("subscriptions", () => subscriptions.attach(id, at));
      },
    },
  ];
}

/** `POST /v1/updates/{table}`; the body is ignored. */
export function updatesRoute(updates: Updates): Route {
  return {
    method: "POST",
    path: "/v1/updates/{table}",
    concurrency: CONCURRENCY,
    handle: async ({ request, param }) => {
      request.resume();
      return followed("updates", () => updates.follow(param));
    },
  };
}

function startAt(query: QueryString): StartAt {
  return { from: query.u64("from"), skipRows: query.flag("skip_rows") };
}

type Source = "subscriptions" | "updates";
type Followed = Omit<Attachment, "hash"> & { readonly hash?: string };

function followed(source: Source, attach: () => Followed): Answer {
  try {
    const attachment = attach();
    const headers: Record<string, string> = { "corro-query-id": attachment.id };
    if (attachment.hash !== undefined) headers["corro-query-hash"] = attachment.hash;
    return { kind: "stream", source, headers, send: (out) => pass(attachment, out) };
  } catch (error) {
    if (!(error instanceof SubscriptionRefused)) throw error;
    if (error.status === 404) return json(404, JSON.stringify({ error: error.message }));
    return streamError(error.status, error.message);
  }
}

/** Resolves when no more lines will come, or the client or the agent is gone. */
async function pass(attachment: Followed, out: Outlet): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let listener: Listener | null = null;
  const gone = () => {
    listener?.close();
    resolve();
  };
  listener = attachment.follow({ write: (lines) => out.write(lines), end: resolve });
  out.signal.addEventListener("abort", gone, { once: true });
  if (out.signal.aborted) gone();
  await promise;
  out.signal.removeEventListener("abort", gone);
}
