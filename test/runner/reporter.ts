/** @module A mocha reporter that prints as `spec` does, and tells the runner's process what happens. */
import Mocha from "mocha";
import { OpenSockets } from "./open-sockets.ts";

/** What a suite's process says to the runner. Times are milliseconds. */
export type SuiteMessage =
  | { readonly kind: "running"; readonly title: string }
  | { readonly kind: "passed"; readonly title: string; readonly ms: number }
  | { readonly kind: "failed"; readonly title: string; readonly error: string }
  | { readonly kind: "ended" }
  /** The tests are over, and these resources keep the process alive. */
  | { readonly kind: "lingering"; readonly resources: readonly string[] };

const LINGERING_AFTER_MS = 2000;
const { EVENT_HOOK_BEGIN, EVENT_TEST_BEGIN, EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_RUN_END } =
  Mocha.Runner.constants;

export default class RunnerReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const sockets = new OpenSockets();
    runner.on(EVENT_TEST_BEGIN, (test) => tell({ kind: "running", title: test.fullTitle() }));
    runner.on(EVENT_HOOK_BEGIN, (hook) => tell({ kind: "running", title: hook.fullTitle() }));
    runner.on(EVENT_TEST_PASS, (test) =>
      tell({ kind: "passed", title: test.fullTitle(), ms: test.duration ?? 0 }),
    );
    runner.on(EVENT_TEST_FAIL, (test, error: Error) =>
      tell({ kind: "failed", title: test.fullTitle(), error: error.stack ?? String(error) }),
    );
    runner.on(EVENT_RUN_END, () => {
      tell({ kind: "ended" });
      setTimeout(() => {
        const resources = [...new Set(process.getActiveResourcesInfo()), ...sockets.describe()];
        tell({ kind: "lingering", resources });
      }, LINGERING_AFTER_MS).unref();
    });
    endWithTheRunner();
  }
}

function tell(message: SuiteMessage): void {
  process.send?.(message);
}

/** When the runner is killed, its suite must not go on alone. */
function endWithTheRunner(): void {
  process.on("disconnect", () => process.kill(-process.pid, "SIGKILL"));
  process.channel?.unref(); // the listener above must not keep the process alive
}
