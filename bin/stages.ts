/** @module What a person sees of a start: one line a stage with the time that it took. */

/** Runs a stage and prints its line; the line's text may depend on what the stage returned. */
export async function stage<T>(
  name: string,
  work: () => Promise<T>,
  detail?: (result: T) => string,
): Promise<T> {
  const began = performance.now();
  const result = await work();
  const seconds = ((performance.now() - began) / 1000).toFixed(2);
  process.stdout.write(`${name.padEnd(12)} ${detail?.(result) ?? "ready"} (${seconds} s)\n`);
  return result;
}
