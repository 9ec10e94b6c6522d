/** @module The pages: what they are called, where they are, and how each is loaded when it is needed. */
import type { ComponentType } from "preact";
import { lazy } from "preact-iso";

export interface Page {
  /** Its folder in `pages/`. */
  readonly name: string;
  readonly path: string;
  readonly title: string;
}

/** In the order of the tabs. The gateway answers each path with the dashboard (`services/gateway/pages.ts`). */
const ALL: readonly Page[] = [
  { name: "overview", path: "/overview", title: "Overview" },
  { name: "propagation", path: "/", title: "Propagation" },
  { name: "cluster", path: "/cluster", title: "Cluster" },
  { name: "messages", path: "/messages", title: "Messages" },
  { name: "node", path: "/node", title: "Node" },
  { name: "analytics", path: "/analytics", title: "Analytics" },
  { name: "query-console", path: "/query-console", title: "Query Console" },
  { name: "groups", path: "/groups", title: "Groups" },
  { name: "conversations", path: "/conversations", title: "Conversations" },
];

/** Every folder with a `page.tsx` is a page: its default export is drawn. */
const loaders = import.meta.glob<{ default: ComponentType }>("../pages/*/page.tsx");

/** Each loaded once, when its page is first opened. */
export const PAGE_COMPONENTS: ReadonlyMap<string, ComponentType> = new Map(
  ALL.flatMap(({ name }) => {
    const load = loaders[`../pages/${name}/page.tsx`];
    return load === undefined ? [] : [[name, lazy<ComponentType>(load)] as const];
  }),
);

/** Those that are there, in the order of the tabs. */
export const PAGES: readonly Page[] = ALL.filter(({ name }) => PAGE_COMPONENTS.has(name));

/** Links to these are followed inside the dashboard; others (`/metrics`, another node) by the browser. */
export const PAGE_SCOPE = new RegExp(`^(${PAGES.map(({ path }) => path).join("|")})(\\?.*)?$`);
