/** Which blob stores a server has. */
import { kvBlobStore } from "./kv_store.ts";
import type { BlobStores } from "./store.ts";

/** Opens no connection yet. */
export function openBlobStores(kv: Deno.Kv): BlobStores {
  return { written: "kv", of: { kv: kvBlobStore(kv) } };
}
