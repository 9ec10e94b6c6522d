/** @module Which agent a node runs: a Corrosion binary, the embedded development agent, or one that others run. */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { AgentConfig } from "../../../lib/console-config.ts";

/** A program that takes `agent -c FILE` behind `args`. */
export interface AgentProgram {
  readonly kind: "binary" | "embedded";
  /** For people. */
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
}

export type ChosenAgent =
  | { readonly kind: "program"; readonly program: AgentProgram }
  | { readonly kind: "external"; readonly apiUrl: string }
  /** There is none; `reason` is one sentence. */
  | { readonly kind: "none"; readonly reason: string };

const EMBEDDED_MAIN = fileURLToPath(new URL("../../../corrosion/embedded/main.ts", import.meta.url));

export const EMBEDDED: AgentProgram = {
  kind: "embedded",
  name: "embedded development agent",
  file: process.execPath,
  args: ["--disable-warning=ExperimentalWarning", EMBEDDED_MAIN],
};

/** The agent that the configuration asks for; `path` is the PATH to search for `corrosion`. */
export function chooseAgent({ mode, bin, apiUrl }: AgentConfig, path: string): ChosenAgent {
  if (apiUrl !== null) return { kind: "external", apiUrl };
  if (mode === "embedded") return { kind: "program", program: EMBEDDED };
  const file = bin ?? findOnPath("corrosion", path);
  if (file === null) {
    if (mode === "auto") return { kind: "program", program: EMBEDDED };
    return {
      kind: "none",
      reason:
        "CORROSION_MODE=binary needs a Corrosion binary, and there is no corrosion on PATH: set CORROSION_BIN to it.",
    };
  }
  if (!isExecutable(file)) {
    return { kind: "none", reason: `CORROSION_BIN is ${file}, which is no program that can be run.` };
  }
  return { kind: "program", program: { kind: "binary", name: file, file: resolve(file), args: [] } };
}

function findOnPath(name: string, path: string): string | null {
  const files = path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name));
  return files.find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false; // there is none, or it is not for us
  }
}
