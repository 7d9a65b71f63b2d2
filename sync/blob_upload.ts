/**
 * A blob that is being uploaded: marked before its first byte, kept alive while bytes come in, and
 * deleted at once if nothing comes of it. What can't be deleted then is left to the sweep.
 */
import { type BlobStores, storeOf } from "../assets/store.ts";
import { UploadEndedError } from "../kv/blobs.ts";
import { readGraphGuard } from "../kv/graphs.ts";
import { endUpload, forgetLoose, markUpload, readLoose, renewUpload } from "../kv/loose.ts";
import type { BlobPlace } from "../protocol/asset.ts";
import { type GraphId, newBlobId } from "../protocol/ids.ts";
import type { Logger } from "../telemetry/log.ts";
import { attempted, untilSettled } from "./settle.ts";

export interface BlobUploadDeps {
  readonly kv: Deno.Kv;
  readonly stores: BlobStores;
  /** An upload that no byte came in of for so long is taken for cut off. */
  readonly graceMs: number;
  readonly log: Logger;
  /** Ms since the epoch. */
  readonly now: () => number;
}

/** Marks a new blob of the graph; `undefined`: there is no such graph. */
export async function openBlobUpload(
  deps: BlobUploadDeps,
  graph: GraphId,
): Promise<BlobUpload | undefined> {
  const { kv, stores, now } = deps;
  return await untilSettled<BlobUpload | undefined>(`begin an upload to ${graph}`, async () => {
    const guard = await readGraphGuard(kv, graph);
    if (guard === undefined) return { done: undefined };
    // A new one for each attempt: a marker of one that came to nothing is swept.
    const place = { graph, blob: newBlobId() };
    const since = now();
    const outcome = await markUpload(kv, place, stores.written, since, guard);
    return attempted(outcome, new BlobUpload(deps, place, since));
  });
}

export class BlobUpload {
  #since: number;

  constructor(private readonly deps: BlobUploadDeps, readonly place: BlobPlace, since: number) {
    this.#since = since;
  }

  /**
   * Stores the bytes.
   *
   * @throws {UploadEndedError} another has ended the upload
   * @throws whatever `chunks` throws, or a fault of the store
   */
  async write(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const { stores } = this.deps;
    await storeOf(stores, stores.written).write(this.place, this.#renewed(chunks));
  }

  /** Deletes what was stored, unless it has a name by now. Never throws: the sweep comes after it. */
  async discard(): Promise<void> {
    const { kv, stores, log, now } = this.deps;
    try {
      const loose = await readLoose(kv, this.place);
      if (loose === undefined || loose.why === "dropped") return;
      const outcome = loose.why === "upload"
        ? await endUpload(kv, loose, now())
        : { kind: "committed" as const, loose };
      if (outcome.kind !== "committed") return;
      await storeOf(stores, loose.store).delete(this.place);
      await forgetLoose(kv, outcome.loose);
    } catch (cause) {
      const { graph } = this.place;
      log.warning("Cannot delete what came of an upload to {graph} yet", { graph, cause });
    }
  }

  /** The same chunks; while they come the marker stays young. */
  async *#renewed(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      if (this.deps.now() - this.#since > this.deps.graceMs / 4) await this.#renew();
      yield chunk;
    }
  }

  async #renew(): Promise<void> {
    const { kv, now } = this.deps;
    this.#since = await untilSettled("keep an upload alive", async () => {
      const loose = await readLoose(kv, this.place);
      if (loose?.why !== "upload") throw new UploadEndedError("Cannot go on with an upload");
      const since = now();
      const outcome = await renewUpload(kv, loose, since);
      return attempted(outcome, since);
    });
  }
}
