/** JSON answers put together from the bytes of stored JSON texts, without parsing them. */
import { concat } from "../kv/bytes.ts";

/** Small items are gathered up to this size, so that a long list isn't a million tiny writes. */
const CHUNK_BYTES = 64 * 1024;

/**
 * `before`, the items with commas between them, `after`: as UTF-8 chunks of about 64 KiB. An item is
 * never cut, so a chunk never ends inside a character. Reads on only when the next chunk is asked
 * for: one batch and one chunk are in memory.
 *
 * @param batches of items, each of them UTF-8 of one JSON text
 * @param after or what says it once all items were read
 * @throws what reading the items throws
 */
export async function* jsonChunks(
  before: string,
  batches: AsyncIterable<readonly Uint8Array[]> | Iterable<readonly Uint8Array[]>,
  after: string | (() => string),
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  const comma = encoder.encode(",");
  let parts: Uint8Array[] = [encoder.encode(before)];
  let size = 0;
  let first = true;
  for await (const batch of batches) {
    for (const item of batch) {
      if (!first) parts.push(comma);
      first = false;
      parts.push(item);
      size += item.length;
      if (size < CHUNK_BYTES) continue;
      yield concat(parts);
      parts = [];
      size = 0;
    }
  }
  parts.push(encoder.encode(typeof after === "string" ? after : after()));
  yield concat(parts);
}
