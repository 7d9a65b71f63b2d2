/** Does the store answer: the cheapest thing to ask of it. */
import { readinessKey } from "./keys.ts";

/** One strong read of a key that nobody writes. Throws what the store throws. */
export async function canRead(kv: Deno.Kv): Promise<void> {
  await kv.get(readinessKey());
}
