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
  /** What the ratio is to be, where that is set: from below for a rate, from above for a cost. */
  readonly goal?: Goal;
}

export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** A row of the table; whether the goal is met is told of the ratio that is shown. */
export function shown(result: Result): Readonly<Record<string, string | number>> {
  const { goal, ...row } = result;
  if (goal === undefined) return row;
  const [text, met] = "atLeast" in goal
    ? [`≥ ${goal.atLeast}`, row.ratio >= goal.atLeast]
    : [`≤ ${goal.atMost}`, row.ratio <= goal.atMost];
  return { ...row, goal: text, met: met ? "yes" : "no" };
}

/** @returns ms that the work took, and its answer */
export async function timed<Value>(
  work: () => Promise<Value> | Value,
): Promise<{ readonly ms: number; readonly value: Value }> {
  const start = performance.now();
  const value = await work();
  return { ms: performance.now() - start, value };
}

/** The upper one of an even number; NaN of none. */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;
}

export function rounded(x: number): number {
  return Math.round(x * 100) / 100;
}

/** With which `deno task start` runs the server. */
export const TASK_FLAGS = ["--v8-flags=--max-semi-space-size=8,--max-old-space-size=768"] as const;
