/** @module The disagreement matrix: who thinks what of whom, and where that differs. */
import { microsOf } from "../../../lib/clock.ts";
import type { Disagreements, IdentityMap, MemberView } from "../contract.ts";

/** What became of asking a node. */
export type Observer =
  | { readonly node_id: string; readonly kind: "answered"; readonly view: MemberView }
  | { readonly node_id: string; readonly kind: "no answer"; readonly reason: string };

type Cell = Disagreements["subjects"][number]["states"][number];

/** Views that are older say nothing about the present. */
export const FRESH_MS = 90_000;

/** Observers keep their order. `now` and the times of the views are microseconds since 1970. */
export function disagreements(observers: readonly Observer[], map: IdentityMap, now: number): Disagreements {
  const named = new Map(Object.entries(map));
  for (const { view } of observers.filter((one) => one.kind === "answered")) {
    if (view.actor_id !== null) named.set(view.actor_id, view.node_id);
  }
  const fresh = observers.map((observer) => isFresh(observer, now));
  const subjects = subjectIds(observers).map((id) => {
    const states = observers.map((observer) => cell(observer, id));
    return { id, node_id: named.get(id) ?? null, states, disagreement: differs(states, observers, fresh) };
  });
  return {
    observers: observers.map(observerOf),
    subjects: subjects.sort((a, b) => order(a.node_id ?? `~${a.id}`, b.node_id ?? `~${b.id}`)),
    disagreement: subjects.some((subject) => subject.disagreement),
  };
}

function observerOf(observer: Observer): Disagreements["observers"][number] {
  if (observer.kind === "no answer") {
    const { node_id, reason } = observer;
    return { node_id, actor_id: null, at: null, answered: false, reason };
  }
  const { actor_id, at, error } = observer.view;
  return { node_id: observer.node_id, actor_id, at, answered: true, reason: error };
}

/** Every actor that somebody names, or that answers itself. */
function subjectIds(observers: readonly Observer[]): string[] {
  const ids = new Set<string>();
  for (const observer of observers) {
    if (observer.kind === "no answer") continue;
    if (observer.view.actor_id !== null) ids.add(observer.view.actor_id);
    for (const { id } of observer.view.subjects) ids.add(id);
  }
  return [...ids];
}

function cell(observer: Observer, id: string): Cell {
  // A node that never read its members thinks nothing of anybody.
  if (observer.kind === "no answer" || observer.view.at === null) return "no answer";
  if (observer.view.actor_id === id) return "self";
  return observer.view.subjects.find((subject) => subject.id === id)?.state ?? "absent";
}

function isFresh(observer: Observer, now: number): boolean {
  if (observer.kind === "no answer" || observer.view.at === null) return false;
  const at = microsOf(observer.view.at);
  return at !== null && now - at < FRESH_MS * 1000;
}

/** An agent that has just answered for itself is as good as seen Alive; one that fails now says nothing of itself. */
function differs(
  states: readonly Cell[],
  observers: readonly Observer[],
  fresh: readonly boolean[],
): boolean {
  const opinions = new Set<Cell>();
  for (const [i, observer] of observers.entries()) {
    const state = states[i]!;
    if (!fresh[i] || observer.kind === "no answer") continue;
    if (state !== "self") opinions.add(state);
    else if (observer.view.error === null) opinions.add("Alive");
  }
  return opinions.size > 1;
}

function order(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
