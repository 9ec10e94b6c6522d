/** @module The CONSOLE_TOKEN of a node that wants one for changes: asked for when it is needed, kept for this tab. */
import { signal } from "@preact/signals";

const KEY = "fleetport.console-token";

/** A question that waits for the person; null: none. */
export interface TokenRequest {
  /** Whether a token was there and was refused. */
  readonly refused: boolean;
  /** Null: the person will not give one. */
  answer(token: string | null): void;
}

export const tokenRequest = signal<TokenRequest | null>(null);

let asking: Promise<string | null> | null = null;

export function consoleToken(): string | null {
  return sessionStorage.getItem(KEY);
}

/** Asks the person for the token; requests that fail at the same time wait for the same answer. Null: refused. */
export function askForToken(): Promise<string | null> {
  if (asking !== null) return asking;
  const { promise, resolve } = Promise.withResolvers<string | null>();
  asking = promise;
  tokenRequest.value = {
    refused: consoleToken() !== null,
    answer(token) {
      if (token !== null) sessionStorage.setItem(KEY, token);
      tokenRequest.value = null;
      asking = null;
      resolve(token);
    },
  };
  return promise;
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}
