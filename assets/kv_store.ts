/** Blobs in Deno KV: the store that needs no set-up. */
import { deleteBlob, readBlob, writeBlob } from "../kv/blobs.ts";
import { BLOB_COMMIT_BYTES } from "../kv/limits.ts";
import { regroup } from "./regroup.ts";
import type { BlobStore } from "./store.ts";

/** One is being committed while the next one is filled: 1.5 MiB for each upload. */
const BUFFERS = 2;

/** Writes only while the blob is marked as being uploaded (kv/loose.ts). */
export function kvBlobStore(kv: Deno.Kv): BlobStore {
  return {
    write: (place, chunks) => writeBlob(kv, place, regroup(chunks, BLOB_COMMIT_BYTES, BUFFERS)),
    read: (place, start, end) => readBlob(kv, place, start, end),
    delete: (place) => deleteBlob(kv, place),
  };
}
