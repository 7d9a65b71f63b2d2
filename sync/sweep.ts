/** Deletes what nobody needs any more: what flushes made useless, and what was cut off half-way. */
import { listDropped, sweepClaims, sweepDropped } from "../kv/flushes.ts";
import { listGarbage, sweepGeneration } from "../kv/garbage.ts";
import { listUnready, readMeta, removeGraph } from "../kv/graphs.ts";
import { readHead } from "../kv/head.ts";
import { listOrphans, sweepOrphans } from "../kv/members.ts";
import { sweepPresent } from "../kv/present.ts";
import { forgetUpload, noUploadGuard } from "../kv/snapshot_uploads.ts";
import type { GraphId } from "../protocol/ids.ts";
import { loggerFor } from "../telemetry/log.ts";
import { type AssetSweepDeps, sweepAssets } from "./asset_sweep.ts";
import { openGraphs } from "./graphs.ts";
import { isDamage } from "./problems.ts";

const log = loggerFor("sweep");

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
    const isSwept = await unlessDamaged(graph, async () => {
      await forgetUpload(kv, graph, generation);
      return await sweepGeneration(kv, graph, generation);
    });
    if (isSwept) swept++;
  }
  return swept;
}

/** Answers whether it was swept. What of a graph is damaged is logged, and keeps no other from it. */
async function unlessDamaged(graph: GraphId, sweepIt: () => Promise<boolean>): Promise<boolean> {
  try {
    return await sweepIt();
  } catch (cause) {
    if (!isDamage(cause)) throw cause;
    log.error("Cannot sweep what is no longer of use to {graph}", { graph, cause });
    return false;
  }
}

/**
 * Deletes what flushes made useless longer ago than the grace, for which downloads that began before
 * need it, and what flushes that were cut off wrote. Answers how many were swept. May run beside
 * anything.
 *
 * @throws {Error} a commit isn't known to have succeeded; the next sweep goes on from there
 */
export async function sweepFlushes(
  kv: Deno.Kv,
  { now, graceMs }: Required<SweepOptions>,
): Promise<number> {
  const before = now() - graceMs;
  let swept = 0;
  for await (const dropped of listDropped(kv)) {
    if (dropped.since >= before) continue;
    const isSwept = await unlessDamaged(dropped.graph, async () => {
      const head = await readHead(kv, dropped.graph);
      // Of rows that are no longer the graph's all is swept with their generation.
      if (head?.rows !== dropped.rows) return false;
      return await sweepDropped(kv, head.log, dropped);
    });
    if (isSwept) swept++;
  }
  return swept + await sweepClaims(kv, before);
}

/**
 * Deletes what is left of the people of graphs that were removed, and of instances that ended without
 * a word. May run beside anything.
 *
 * @throws {Error} a commit isn't known to have succeeded; the next sweep goes on from there
 */
export async function sweepPeople(kv: Deno.Kv, now: () => number): Promise<void> {
  for await (const graph of listOrphans(kv)) await sweepOrphans(kv, graph);
  await sweepPresent(kv, now());
}

/** Longer than any client goes on with an upload that it has begun. */
const UNREADY_MS = 24 * 60 * 60 * 1000;

/**
 * Removes graphs that nobody can use, as the upload that was to make them has been given up: in its
 * client's list each would wait for ever, and no other could have its name. Answers how many.
 *
 * @throws {Error} one isn't known to be gone; the next sweep goes on from there
 */
export async function sweepUnready({ kv, stores, now }: AssetSweepDeps): Promise<number> {
  const before = now() - UNREADY_MS;
  const graphs = openGraphs({ kv, stores, now });
  let swept = 0;
  for await (const { graph, since } of listUnready(kv)) {
    if (since >= before) continue;
    const isSwept = await unlessDamaged(graph, async () => {
      // What is silent is swept before.
      const guard = await noUploadGuard(kv, graph);
      if (guard === undefined) return false;
      const head = await readHead(kv, graph);
      // After the head, which the end of an upload moves in the same commit: it is of this one or a later.
      const meta = await readMeta(kv, graph);
      if (meta?.readyForUse !== false || head === undefined) return false;
      const outcome = await removeGraph(kv, meta, head, now(), [guard]);
      if (outcome.kind !== "committed") return false;
      log.info("Removed {graph}, whose upload had not ended for a day", { graph });
      // What it owned.
      await graphs.remove(graph);
      return true;
    });
    if (isSwept) swept++;
  }
  return swept;
}

export interface SweepParts extends AssetSweepDeps {
  /** For what flushes made useless. */
  readonly rowsGraceMs: number;
  /** For files that have no name. */
  readonly assetsGraceMs: number;
}

/**
 * All that there is to sweep. Where a marker is damaged, or a store can't be reached, the rest is swept
 * all the same.
 *
 * @throws {AggregateError} what could not be swept, after all else
 */
export async function sweep(parts: SweepParts): Promise<void> {
  const { kv, now, rowsGraceMs, assetsGraceMs } = parts;
  const failures: unknown[] = [];
  for (
    const step of [
      () => sweepGarbage(kv, { now }),
      () => sweepFlushes(kv, { now, graceMs: rowsGraceMs }),
      () => sweepUnready(parts),
      () => sweepPeople(kv, now),
      () => sweepAssets(parts, assetsGraceMs),
    ]
  ) await step().catch((cause) => failures.push(cause));
  if (failures.length > 0) throw new AggregateError(failures, "Cannot sweep all that there is");
}
