/** How large an asset may be, as today's clients count on it (upstream.md §1.7). */

/** Bytes; an encrypted graph's assets come as ciphertext in Transit, which takes more. */
export function maxAssetBytes(e2ee: boolean): number {
  return (e2ee ? 200 : 100) * 1024 * 1024;
}
