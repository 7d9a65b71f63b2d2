/** Deletes the bytes of files that nobody can reach: cut-off uploads, old files, removed graphs. */
import { type BlobStores, NoBlobStoreError, storeOf } from "../assets/store.ts";
import { listAssets } from "../kv/assets.ts";
import { forgetGone, listGone } from "../kv/graphs.ts";
import { endUpload, forgetLoose, listLoose, type Loose, readLoose } from "../kv/loose.ts";
import type { GraphId } from "../protocol/ids.ts";
import { loggerFor } from "../telemetry/log.ts";
import { removeAsset } from "./assets.ts";
import { untilSettled } from "./settle.ts";

const log = loggerFor("sweep");

export interface AssetSweepDeps {
  readonly kv: Deno.Kv;
  readonly stores: BlobStores;
  /** Ms since the epoch. */
  readonly now: () => number;
}

/**
 * Deletes every blob that has had no name for longer than the grace, and ends uploads that no byte
 * came in of for as long; then removes what is left of removed graphs. Answers how many blobs were
 * deleted. May run beside anything, also beside itself.
 *
 * @throws {Error} a store failed; the next sweep goes on from there
 */
export async function sweepAssets(
  deps: AssetSweepDeps,
  graceMs: number,
): Promise<number> {
  const before = deps.now() - graceMs;
  let swept = 0;
  for await (const loose of listLoose(deps.kv)) {
    // Of a store that is no longer set the marker stays, for when it is again.
    if (loose.since >= before || deps.stores.of[loose.store] === undefined) continue;
    if (await sweepBlob(deps, loose)) swept++;
  }
  for await (const graph of listGone(deps.kv)) {
    try {
      await removeAssets(deps, graph);
    } catch (cause) {
      // As above: until its store is set again, and no other graph waits for that.
      if (!(cause instanceof NoBlobStoreError)) throw cause;
      log.warn("Cannot remove all files yet of {graph}, which was removed", { graph, cause });
    }
  }
  return swept;
}

/**
 * Removes all files of a graph that was removed: nobody can add to them any more. If it is cut off,
 * the next sweep goes on. Idempotent.
 *
 * @throws {NoBlobStoreError} a file is in a store that is no longer set
 */
export async function removeAssets(deps: AssetSweepDeps, graph: GraphId): Promise<void> {
  const { kv } = deps;
  // The names first: from then on all blobs are among the loose ones.
  for await (const { name } of listAssets(kv, graph)) await removeAsset(deps, graph, name);
  for await (const { place } of listLoose(kv, graph)) {
    await untilSettled<void>(`remove a blob of ${graph}`, async () => {
      const loose = await readLoose(kv, place);
      if (loose === undefined || await sweepBlob(deps, loose)) return { done: undefined };
      return { again: { kind: "conflict" } };
    });
  }
  await forgetGone(kv, graph);
}

/** Answers whether it did: not if the upload turned out to be alive, or nobody knows. */
async function sweepBlob({ kv, stores, now }: AssetSweepDeps, loose: Loose): Promise<boolean> {
  const store = storeOf(stores, loose.store);
  if (loose.why !== "upload") {
    await store.delete(loose.place);
    await forgetLoose(kv, loose);
    return true;
  }
  // The marker stays for one more grace, and the blob is deleted once more then: a writer that was
  // held up may store a last piece behind this, where the store does not look at the marker.
  const ended = await endUpload(kv, loose, now());
  if (ended.kind === "committed") await store.delete(loose.place);
  return ended.kind === "committed";
}
