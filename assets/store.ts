/**
 * The port to where files' bytes are kept. A store knows blobs, which are written once and never
 * changed; what a blob is called, and that it is marked from before its first byte on, is known
 * elsewhere (sync/assets.ts).
 */
import type { BlobPlace, StoreName } from "../protocol/asset.ts";

export interface BlobStore {
  /**
   * Stores the chunks, one after the other, as a new blob; all of it is there when this answers.
   * Memory: a few chunks of the store's own size, whatever the size of the blob.
   *
   * @param chunks of any size, each valid until the next one is asked for
   * @throws whatever `chunks` throws, or a fault; then some of it may be there, until `delete`
   */
  readonly write: (place: BlobPlace, chunks: AsyncIterable<Uint8Array>) => Promise<void>;
  /**
   * The bytes with start ≤ i < end of a blob that has as many, read as they are taken.
   *
   * @throws {Error} bytes are missing; those before have been yielded. Never fewer without an error
   */
  readonly read: (place: BlobPlace, start: number, end: number) => AsyncGenerator<Uint8Array>;
  /** Deletes all that is there of a blob, also what a write left that was cut off. Idempotent. */
  readonly delete: (place: BlobPlace) => Promise<void>;
}

/** The stores of a server. */
export interface BlobStores {
  /** Where new blobs are written. */
  readonly written: StoreName;
  readonly of: Readonly<Partial<Record<StoreName, BlobStore>>>;
}

/** A blob is in a store that this server was not told of, or that can't be reached. */
export class NoBlobStoreError extends Error {
  override readonly name = "NoBlobStoreError";
}

/** @throws {NoBlobStoreError} */
export function storeOf(stores: BlobStores, name: StoreName): BlobStore {
  const store = stores.of[name];
  if (store === undefined) {
    throw new NoBlobStoreError(`Cannot reach blobs in ${name} as no such store is set`);
  }
  return store;
}
