/** Deletes what imports, resets and removals that were cut off have left behind. */
import { listGarbage, sweepGeneration } from "../kv/garbage.ts";

/** Longer than any import takes: what is marked for longer was left by one that was cut off. */
export const GRACE_MS = 60 * 60 * 1000;

export interface SweepOptions {
  /** Ms since the epoch. */
  readonly now: () => number;
  /** How old a marker has to be. */
  readonly graceMs?: number;
}

/**
 * Sweeps every generation that has been marked for longer than the grace; one that its graph's head
 * refers to only loses its marker. Answers how many were swept. May run beside anything, also
 * beside itself.
 *
 * @throws {Error} a commit isn't known to have succeeded; the next sweep goes on from there
 */
export async function sweepGarbage(
  kv: Deno.Kv,
  { now, graceMs = GRACE_MS }: SweepOptions,
): Promise<number> {
  const before = now() - graceMs;
  let swept = 0;
  for await (const { graph, generation, since } of listGarbage(kv)) {
    if (since >= before) continue;
    if (await sweepGeneration(kv, graph, generation)) swept++;
  }
  return swept;
}
