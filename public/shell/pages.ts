/** @module The pages: what they are called, where they are, and how each is loaded when it is needed. */
import { lazy } from "preact-iso";

/** In the order of the tabs. The gateway answers each path with the dashboard (`services/gateway/pages.ts`). */
export const PAGES = [
  { path: "/overview", title: "Overview", component: lazy(() => import("../pages/overview/page.tsx")) },
  { path: "/", title: "Propagation", component: lazy(() => import("../pages/propagation/page.tsx")) },
  { path: "/cluster", title: "Cluster", component: lazy(() => import("../pages/cluster/page.tsx")) },
  { path: "/messages", title: "Messages", component: lazy(() => import("../pages/messages/page.tsx")) },
  { path: "/node", title: "Node", component: lazy(() => import("../pages/node/page.tsx")) },
  { path: "/analytics", title: "Analytics", component: lazy(() => import("../pages/analytics/page.tsx")) },
  {
    path: "/query-console",
    title: "Query Console",
    component: lazy(() => import("../pages/query-console/page.tsx")),
  },
  { path: "/groups", title: "Groups", component: lazy(() => import("../pages/groups/page.tsx")) },
  {
    path: "/conversations",
    title: "Conversations",
    component: lazy(() => import("../pages/conversations/page.tsx")),
  },
] as const;

/** Links to these are followed inside the dashboard; others (`/metrics`, another node) by the browser. */
export const PAGE_SCOPE = new RegExp(`^(${PAGES.map(({ path }) => path).join("|")})(\\?.*)?$`);
