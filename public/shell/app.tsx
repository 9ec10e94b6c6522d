/** @module The whole page: header, tabs, the page that is open, and what lies over it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ErrorBoundary, LocationProvider, Route, Router, useLocation } from "preact-iso";
import { Button } from "../components/button.tsx";
import { Notice } from "../components/notice.tsx";
import { ConfirmDialog } from "./confirm.tsx";
import { ConnectionBanner } from "./connection-banner.tsx";
import { Header } from "./header.tsx";
import { NotFound } from "./not-found.tsx";
import { PAGE_SCOPE, PAGES } from "./pages.ts";
import { Tabs } from "./tabs.tsx";
import { Toasts } from "./toasts.tsx";
import { TokenDialog } from "./token-dialog.tsx";

export function App() {
  return (
    <LocationProvider scope={PAGE_SCOPE}>
      <a
        href="#main"
        class="fixed top-2 left-2 z-50 -translate-y-16 rounded-md bg-accent-strong px-3 py-2 text-sm font-medium text-white transition focus:translate-y-0"
      >
        Skip to content
      </a>
      <div class="sticky top-0 z-30 border-b border-line bg-surface/95 backdrop-blur">
        <Header />
        <Tabs />
        <ConnectionBanner />
      </div>
      <OpenPage />
      <Toasts />
      <ConfirmDialog />
      <TokenDialog />
    </LocationProvider>
  );
}

function OpenPage() {
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const [problem, setProblem] = useState<Error | null>(null);
  const { path } = useLocation();
  document.title = titleOf(path);

  useEffect(() => {
    // A change of page is told to screen readers by the focus; the first page has it already.
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
    setProblem(null);
  }, [path]);

  return (
    <main
      ref={main}
      id="main"
      tabIndex={-1}
      class="mx-auto w-full max-w-[100rem] px-3 py-4 sm:px-5"
      aria-label={PAGES.find((page) => page.path === path)?.title ?? "Not found"}
    >
      {problem !== null && (
        <Notice tone="bad" action={<Button onPress={() => location.reload()}>Reload</Button>}>
          This page could not be shown ({problem.message}). The node may have been updated: reload.
        </Notice>
      )}
      <ErrorBoundary onError={setProblem}>
        <Router>
          {PAGES.map(({ path: at, component }) => (
            <Route key={at} path={at} component={component} />
          ))}
          <Route key="not-found" default component={NotFound} />
        </Router>
      </ErrorBoundary>
    </main>
  );
}

function titleOf(path: string): string {
  const page = PAGES.find((one) => one.path === path);
  return page === undefined ? "Not found · Fleetport" : `${page.title} · Fleetport`;
}
