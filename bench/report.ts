/** @module What a run prints: progress on standard error, tables and targets on standard output. */

interface Target {
  readonly what: string;
  readonly is: string;
  readonly wanted: string;
  readonly met: boolean;
}

/** What each part needs to know of the run, and where it tells its figures. */
export class Report {
  /** Fewer rounds, shorter ones, less data: to see that it works, not to compare. */
  readonly quick: boolean;
  /** What all fleets are given of the environment beside the defaults. */
  readonly fleetEnv: Readonly<Record<string, string>>;
  readonly #tables: string[] = [];
  readonly #targets: Target[] = [];
  readonly #notes: string[] = [];

  constructor(quick: boolean, fleetEnv: Readonly<Record<string, string>>) {
    this.quick = quick;
    this.fleetEnv = fleetEnv;
  }

  progress(text: string): void {
    process.stderr.write(`… ${text}\n`);
  }

  note(text: string): void {
    this.#notes.push(text);
    this.progress(text);
  }

  /** Rows of one kind; the first column is text, the others are figures. */
  table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
    const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)));
    const line = (cells: readonly string[]) =>
      `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(" | ")} |`;
    const rule = `|${widths.map((width, i) => (i === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
    this.#tables.push([`## ${title}`, "", line(head), rule, ...rows.map(line)].join("\n"));
  }

  atLeast(what: string, value: number, wanted: number, unit: string): void {
    this.#targets.push({ what, is: figure(value, unit), wanted: `≥ ${wanted}${unit}`, met: value >= wanted });
  }

  below(what: string, value: number, wanted: number, unit: string): void {
    this.#targets.push({ what, is: figure(value, unit), wanted: `< ${wanted}${unit}`, met: value < wanted });
  }

  print(): void {
    for (const table of this.#tables) process.stdout.write(`\n${table}\n`);
    if (this.#targets.length > 0) {
      const rows = this.#targets.map(({ what, is, wanted, met }) => [
        what,
        is,
        wanted,
        met ? "met" : "MISSED",
      ]);
      this.#tables.length = 0;
      this.table("Targets", ["", "is", "wanted", ""], rows);
      process.stdout.write(`\n${this.#tables[0]}\n`);
    }
    for (const note of this.#notes) process.stdout.write(`\n${note}\n`);
  }
}

function figure(value: number, unit: string): string {
  return `${value >= 100 ? Math.round(value) : value.toPrecision(3)}${unit}`;
}

/** A rate for a table. */
export function rate(perSecond: number): string {
  return `${Math.round(perSecond)}/s`;
}

/** Milliseconds for a table. */
export function millis(ms: number): string {
  return ms >= 100 ? `${Math.round(ms)}` : ms.toFixed(1);
}

/** Seconds for a table. */
export function seconds(s: number): string {
  return `${s.toFixed(2)} s`;
}

/** A ratio for a table. */
export function times(ratio: number): string {
  return Number.isFinite(ratio) ? `${ratio.toFixed(ratio < 10 ? 2 : 0)} ×` : "";
}
