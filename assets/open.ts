/** Which blob stores a server has. */
import { kvBlobStore } from "./kv_store.ts";
import { s3BlobStore, type S3Settings } from "./s3_store.ts";
import type { BlobStores } from "./store.ts";

/** KV always, for what was written there before another store was set. Opens no connection yet. */
export function openBlobStores(kv: Deno.Kv, s3?: S3Settings): BlobStores {
  if (s3 === undefined) return { written: "kv", of: { kv: kvBlobStore(kv) } };
  return { written: "s3", of: { kv: kvBlobStore(kv), s3: s3BlobStore(s3) } };
}
