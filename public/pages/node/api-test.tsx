/** @module Asks the agent's API something small, and says how long that took. */
import { useState } from "preact/hooks";
import type { NodePing } from "../../../services/corrosion/contract.ts";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { api } from "../../data/api.ts";
import { sentenceOf } from "../../data/api-error.ts";
import { toast } from "../../data/toasts.ts";
import { msText } from "../../data/wording.ts";

type Test =
  | { readonly kind: "not run" }
  | { readonly kind: "ok"; readonly ms: number }
  | { readonly kind: "failed"; readonly why: string };

export function ApiTest() {
  const [test, setTest] = useState<Test>({ kind: "not run" });
  async function run(): Promise<void> {
    const result = await ping();
    setTest(result);
    if (result.kind === "ok") toast.success(`The local API answered in ${msText(result.ms)}.`);
    else toast.error(`The local API failed: ${result.why}`);
  }
  return (
    <div class="flex items-center gap-2">
      <span role="status" data-api-test={test.kind}>
        {test.kind === "not run" && <Badge>not run</Badge>}
        {test.kind === "ok" && <Badge tone="good">ok, {msText(test.ms)}</Badge>}
        {test.kind === "failed" && (
          <Badge tone="bad" title={test.why}>
            failed
          </Badge>
        )}
      </span>
      <Button onPress={run}>Test Local API</Button>
    </div>
  );
}

async function ping(): Promise<Extract<Test, { kind: "ok" | "failed" }>> {
  try {
    const { ok, latency_ms: ms, error } = await api<NodePing>("/api/node/ping");
    return ok ? { kind: "ok", ms } : { kind: "failed", why: sentenceOf(error ?? "the agent gave no reason") };
  } catch (error) {
    return { kind: "failed", why: sentenceOf(error) };
  }
}
