/** @module What a test has open: pages of the real program and of scripted nodes, all closed when it is over. */
import type { Actions } from "../helpers/console.ts";
import type { TestGateway } from "../helpers/gateway.ts";
import { type Visit, type Visited, visit } from "./browser.ts";
import { type DashboardVisit, dashboard } from "./dashboard.ts";
import { scriptedNode } from "./scripted-node.ts";

const MOST_LETTERS = 160;

export interface OpenPages {
  /** Opens a page of any node. */
  of(visited: Visit): Promise<Visited>;
  /** Opens a page of `npm start`'s program. */
  at(path: string, options?: DashboardVisit): Promise<Visited>;
  /** Opens a page of a node whose actors the test writes (`scriptedNode`). */
  scripted(
    path: string,
    actions: Actions,
    options?: Omit<Visit, "url" | "path">,
    env?: Readonly<Record<string, string>>,
  ): Promise<Visited & { readonly node: TestGateway }>;
  /** Closes what is open before the test ends. Throws what a page has found wrong in itself. */
  close(): Promise<void>;
}

/** For one `describe`, which calls it once. */
export function openPages(): OpenPages {
  const pages: Visited[] = [];
  const nodes: TestGateway[] = [];

  async function close(name?: string): Promise<void> {
    const closed = await Promise.allSettled(
      pages.splice(0).map((page, i) => page.close(name && (i === 0 ? name : `${name}-${i + 1}`))),
    );
    await Promise.all(nodes.splice(0).map((node) => node.stop()));
    const wrong = closed.find((outcome) => outcome.status === "rejected");
    if (wrong !== undefined) throw wrong.reason;
  }
  afterEach(function () {
    return close(nameOf(this.currentTest?.fullTitle() ?? ""));
  });

  async function of(visited: Visit): Promise<Visited> {
    const page = await visit(visited);
    pages.push(page);
    return page;
  }

  return {
    of,
    async at(path, options) {
      const page = await (await dashboard()).open(path, options);
      pages.push(page);
      return page;
    },
    async scripted(path, actions, options, env) {
      const node = await scriptedNode(actions, env);
      nodes.push(node);
      return { ...(await of({ url: node.url, path, ...options })), node };
    },
    close: () => close(),
  };
}

/** A file's name for a test. */
function nameOf(title: string): string {
  const words = title.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return `test-${words}`.slice(0, MOST_LETTERS);
}
