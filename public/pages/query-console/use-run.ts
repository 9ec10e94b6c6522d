/** @module Runs what the console asks for, one at a time, and ends a run that somebody cancels. */
import { useCallback, useRef, useState } from "preact/hooks";
import type { QueryResult } from "../../../services/corrosion/contract.ts";
import { api, send } from "../../data/api.ts";
import { ApiError } from "../../data/api-error.ts";
import { toast } from "../../data/toasts.ts";
import type { RunBody } from "./draft.ts";
import { outcomeText, type RunState } from "./run-state.ts";

/** The node ends a query after 10 s and then writes it down: only an answer that is lost takes longer. */
const TIMEOUT_MS = 25_000;

export interface Run {
  readonly state: RunState;
  /** Does nothing while another one runs. Ends when the outcome is known and told; never rejects. */
  readonly start: (body: RunBody) => Promise<void>;
  /** Asks the node to end the run under way. */
  readonly cancel: () => Promise<void>;
}

export function useRun(): Run {
  const [state, setState] = useState<RunState>({ kind: "idle" });
  const running = useRef<string | null>(null);

  const start = useCallback(async (given: RunBody): Promise<void> => {
    if (running.current !== null) return;
    const id = newRunId();
    const body = { ...given, run_id: id };
    running.current = id;
    setState({ kind: "running", id, body, since: Date.now() });
    const next = await outcomeOf(body);
    running.current = null;
    setState(next);
    tellOutcome(next);
  }, []);

  const cancel = useCallback(async (): Promise<void> => {
    const id = running.current;
    if (id === null) return;
    try {
      await send("DELETE", `/api/console/run/${encodeURIComponent(id)}`);
    } catch (error) {
      // It ended by itself meanwhile, and its own outcome is told.
      if (error instanceof ApiError && error.status === 404) return;
      toast.error(`The query could not be cancelled: ${(error as Error).message}`);
    }
  }, []);

  return { state, start, cancel };
}

async function outcomeOf(body: RunBody): Promise<RunState> {
  try {
    const options = { method: "POST", body, timeoutMs: TIMEOUT_MS } as const;
    const result = await api<QueryResult>("/api/console/run", options);
    return { kind: "done", body, result, at: Date.now() };
  } catch (error) {
    const at = Date.now();
    if (error instanceof ApiError && error.code === "cancelled") return { kind: "cancelled", body, at };
    return { kind: "failed", body, error: error as Error, at };
  }
}

function tellOutcome(state: RunState): void {
  if (state.kind === "done") toast.success(`${outcomeText(state.result)}.`);
  if (state.kind === "cancelled") toast.info("The query was cancelled.");
  if (state.kind === "failed") toast.error(`The query failed: ${state.error.message}`);
}

/** Not `randomUUID`, which pages have only over HTTPS and on their own machine. */
function newRunId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
