/** What a bench found out. */
export interface Result {
  readonly what: string;
  /** How much of it was done. */
  readonly work: string;
  readonly ours: string;
  /** The floor: what the same would cost bare. */
  readonly floor: string;
  /** Ours to floor, as the row says it. */
  readonly ratio: number;
}

/** @returns ms that the work took, and its answer */
export async function timed<Value>(
  work: () => Promise<Value> | Value,
): Promise<{ readonly ms: number; readonly value: Value }> {
  const start = performance.now();
  const value = await work();
  return { ms: performance.now() - start, value };
}

export function rounded(x: number): number {
  return Math.round(x * 100) / 100;
}

/** With which `deno task start` runs the server. */
export const TASK_FLAGS = ["--v8-flags=--max-semi-space-size=4"] as const;
