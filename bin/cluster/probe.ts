/** @module Whether a part answers: asked of what it offers, by the kind of its URL. */
import { Redis } from "ioredis";
import pg from "pg";
import { asError } from "../process.ts";

const TIMEOUT_MS = 1000;

/** Null when the part is ready, else what is wrong in a few words. `health` is a URL of HTTP, Postgres or Redis. */
export async function probe(health: string): Promise<string | null> {
  try {
    if (/^postgres(ql)?:/.test(health)) await askPostgres(health);
    else if (/^rediss?:/.test(health)) await askRedis(health);
    else return await askHttp(health);
    return null;
  } catch (error) {
    return `no answer (${reason(error)})`;
  }
}

async function askHttp(url: string): Promise<string | null> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const text = await response.text();
  return response.status === 200 ? null : `not ready (${text.trim() || response.status})`;
}

async function askPostgres(url: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  });
  client.on("error", () => undefined); // a failed question is told by what `query` throws
  try {
    await client.connect();
    await client.query("select 1");
  } finally {
    // Not waited for: a server that hangs does not say goodbye either.
    client.end().catch(() => undefined);
  }
}

async function askRedis(url: string): Promise<void> {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: TIMEOUT_MS,
    commandTimeout: TIMEOUT_MS,
    retryStrategy: () => null,
  });
  client.on("error", () => undefined); // as above
  try {
    await client.connect();
    await client.ping();
  } finally {
    client.disconnect();
  }
}

/** `fetch` says only that it failed; why is in the cause. */
function reason(error: unknown): string {
  const { message, cause } = asError(error);
  return cause instanceof Error && cause.message !== "" ? cause.message : message;
}
