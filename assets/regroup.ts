/** Bytes as they come in → chunks of one size, in memory that is used again. */

/**
 * The same bytes in chunks of `size`, but the last one, which may be shorter and is never empty.
 * Each byte is copied once. A chunk is valid until as many more as `buffers` are asked for: fresh
 * memory for each would wait for the collector, which lets 64 MiB of it come together.
 */
export async function* regroup(
  pieces: AsyncIterable<Uint8Array>,
  size: number,
  buffers: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const ring: Uint8Array<ArrayBuffer>[] = [];
  let count = 0;
  let filled = 0;
  for await (let piece of pieces) {
    while (piece.length > 0) {
      const chunk = ring[count % buffers] ??= new Uint8Array(size);
      const taken = piece.subarray(0, size - filled);
      chunk.set(taken, filled);
      filled += taken.length;
      piece = piece.subarray(taken.length);
      if (filled < size) continue;
      yield chunk;
      count++;
      filled = 0;
    }
  }
  const last = ring[count % buffers];
  if (filled > 0 && last !== undefined) yield last.subarray(0, filled);
}
