/** @module A node's HTTP API as the demonstration uses it. */

export interface Console {
  /** Base URL of the node. */
  readonly url: string;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: object): Promise<T>;
}

const ANSWER_MS = 10_000;

/** Calls throw a sentence: that nothing answers there, or what the node refused and why. */
export function consoleAt(url: string, token: string | null): Console {
  async function ask<T>(method: "GET" | "POST", path: string, body?: object): Promise<T> {
    const response = await fetch(`${url}/api${path}`, {
      method,
      headers: {
        ...(body && { "content-type": "application/json" }),
        ...(token !== null && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_MS),
    }).catch((cause: unknown) => {
      throw new Error(`nothing answers at ${url}`, { cause });
    });
    const answer: unknown = await response.json().catch(() => null);
    if (!response.ok) throw new Error(`${url} answers ${response.status}: ${reasonOf(answer)}`);
    return answer as T;
  }
  return {
    url,
    get: (path) => ask("GET", path),
    post: (path, body) => ask("POST", path, body),
  };
}

/** In whichever of its forms the API says what was wrong. */
function reasonOf(answer: unknown): string {
  if (typeof answer !== "object" || answer === null) return "no reason given";
  if ("error" in answer) return String(answer.error);
  return JSON.stringify("fields" in answer ? answer.fields : answer);
}
