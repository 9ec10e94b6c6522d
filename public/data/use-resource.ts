/** @module A GET of the node as a component's state: fetched, kept fresh by events or a timer, stale when that fails. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { api } from "./api.ts";
import { failed, type Resource, type ResourceState } from "./resource.ts";
import { type StreamEvent, streamState } from "./stream.ts";
import { useStream } from "./use-stream.ts";

/** How often everything live is asked for while the stream is down (contract corroport, section 8). */
export const DOWN_POLL_MS = 5000;
/** Events that only say "ask again" are answered at most this often. */
const REFETCH_MS = 500;

export interface ResourceOptions<T> {
  /** Events of these topics change it. */
  readonly topics?: readonly string[];
  /**
   * The data after an event, made from the event alone; `refetch` when that cannot be. Default: refetch, at most
   * twice a second.
   */
  readonly apply?: (data: T, event: StreamEvent) => T | "refetch";
  /** Asks again after so long; 0: never. Default 0. With topics, everything is polled while the stream is down. */
  readonly pollMs?: number;
  readonly timeoutMs?: number;
}

const LOADING = { kind: "loading" } as const;

/** The resource at `path`, e.g. `useResource<AgentStatus>("/api/agent", { topics: ["agent_state"] })`; null: none. */
export function useResource<T>(path: string | null, options: ResourceOptions<T> = {}): Resource<T> {
  const { topics = [], pollMs = 0, timeoutMs } = options;
  const [state, setState] = useState<ResourceState<T>>(LOADING);
  const [busy, setBusy] = useState(false);
  const applyEvent = useRef(options.apply);
  applyEvent.current = options.apply;
  const running = useRef<Running | null>(null);

  const reload = useCallback((): Promise<void> => {
    if (path === null) return Promise.resolve();
    if (running.current?.path === path) return running.current.ended;
    const abort = new AbortController();
    const meanwhile: StreamEvent[] = [];
    const ended = fetchInto<T>(path, abort.signal, {
      ...(timeoutMs && { timeoutMs }),
      setState,
      setBusy,
      // The answer may be older than what was told while it was on its way.
      received: (data) => afterEvents(data, meanwhile, applyEvent.current).data,
    }).finally(() => {
      if (running.current?.abort === abort) running.current = null;
    });
    running.current = { path, ended, abort, meanwhile };
    return ended;
  }, [path, timeoutMs]);

  useEffect(() => {
    setState(LOADING);
    void reload();
    return () => {
      running.current?.abort.abort();
      running.current = null;
    };
  }, [reload]);

  usePolling(reload, path === null ? 0 : pollMs, topics.length > 0);
  // A request under way may have been answered before what an event tells of, or a person did.
  const refetch = useCallback(async () => {
    await running.current?.ended;
    await reload();
  }, [reload]);
  const refetchSoon = useThrottled(refetch, REFETCH_MS);

  useStream(path === null ? [] : topics, {
    onEvents(events) {
      const apply = applyEvent.current;
      if (apply === undefined) {
        refetchSoon();
        return;
      }
      running.current?.meanwhile.push(...events);
      setState((before) => {
        if (before.kind === "loading" || before.kind === "error") {
          refetchSoon();
          return before;
        }
        const { data, enough } = afterEvents(before.data, events, apply);
        if (!enough) refetchSoon();
        // Nothing new: what is stale stays so, with its age.
        return data === before.data ? before : { kind: "ok", data, at: Date.now() };
      });
    },
    onReconnect: refetchSoon,
  });

  const replace = useCallback((data: T) => setState({ kind: "ok", data, at: Date.now() }), []);
  return { ...state, busy, reload, refetch, replace };
}

/** A request under way. */
interface Running {
  readonly path: string;
  readonly ended: Promise<void>;
  readonly abort: AbortController;
  /** What was told since it began. */
  readonly meanwhile: StreamEvent[];
}

/** The data after these events, and whether those say enough: where not, it must be asked for again. */
function afterEvents<T>(
  before: T,
  events: readonly StreamEvent[],
  apply: ResourceOptions<T>["apply"],
): { readonly data: T; readonly enough: boolean } {
  let data = before;
  let enough = true;
  for (const event of events) {
    const next = apply === undefined ? "refetch" : apply(data, event);
    if (next === "refetch") enough = false;
    else data = next as T;
  }
  return { data, enough };
}

interface FetchInto<T> {
  readonly timeoutMs?: number;
  readonly setState: (next: (before: ResourceState<T>) => ResourceState<T>) => void;
  readonly setBusy: (busy: boolean) => void;
  /** What to make of the answer. */
  readonly received: (data: T) => T;
}

async function fetchInto<T>(
  path: string,
  signal: AbortSignal,
  { timeoutMs, setState, setBusy, received }: FetchInto<T>,
): Promise<void> {
  setBusy(true);
  try {
    const data = await api<T>(path, { signal, ...(timeoutMs && { timeoutMs }) });
    if (!signal.aborted) setState(() => ({ kind: "ok", data: received(data), at: Date.now() }));
  } catch (error) {
    if (!signal.aborted) setState((before) => failed(before, error as Error));
  } finally {
    if (!signal.aborted) setBusy(false);
  }
}

/** A hidden page asks nothing; it asks once when it is seen again. */
function usePolling(reload: () => Promise<void>, pollMs: number, live: boolean): void {
  const down = live && streamState.value === "down";
  const everyMs = down ? Math.min(pollMs || DOWN_POLL_MS, DOWN_POLL_MS) : pollMs;
  useEffect(() => {
    if (everyMs === 0) return undefined;
    let missed = false;
    const timer = setInterval(() => {
      if (document.hidden) missed = true;
      else void reload();
    }, everyMs);
    const seen = () => {
      if (document.hidden || !missed) return;
      missed = false;
      void reload();
    };
    document.addEventListener("visibilitychange", seen);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [reload, everyMs]);
}

/** Runs `work` at once, and then at most once in `ms`; the last call is never lost. */
function useThrottled(work: () => Promise<void>, ms: number): () => void {
  const latest = useRef(work);
  latest.current = work;
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const again = useRef(false);
  useEffect(
    () => () => {
      if (timer.current !== null) clearTimeout(timer.current);
      timer.current = null;
    },
    [],
  );
  return useCallback(() => {
    if (timer.current !== null) {
      again.current = true;
      return;
    }
    const run = () => {
      again.current = false;
      void latest.current();
      timer.current = setTimeout(() => {
        timer.current = null;
        if (again.current) run();
      }, ms);
    };
    run();
  }, [ms]);
}
