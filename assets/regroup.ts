/** Bytes as they come in → chunks of one size. */

/**
 * The same bytes in chunks of `size`, but the last one, which may be shorter and is never empty.
 * Each chunk is memory of its own; each byte is copied once.
 */
export async function* regroup(
  pieces: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let chunk = new Uint8Array(size);
  let filled = 0;
  for await (let piece of pieces) {
    while (piece.length > 0) {
      const taken = piece.subarray(0, size - filled);
      chunk.set(taken, filled);
      filled += taken.length;
      piece = piece.subarray(taken.length);
      if (filled < size) continue;
      yield chunk;
      chunk = new Uint8Array(size);
      filled = 0;
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}
