/**
 * The order in which Clojure walks a hash map or set of keywords. Some of what a transaction does is
 * done in that order, so a log that shall be the same needs it too.
 */

import { hashKeyword } from "./hash.ts";

/** Up to here Clojure keeps the entries of a map in the order in which they came. */
export const ARRAY_MAP_LIMIT = 8;

/** Five bits of the hash choose the branch at each level, the lowest first. */
const BITS = 5;
const MASK = 31;

/** Names of keywords; negative when Clojure's trie has `x` before `y`. */
export function compareInTrie(x: string, y: string): number {
  const hx = hashKeyword(x);
  const hy = hashKeyword(y);
  for (let shift = 0; shift < 32; shift += BITS) {
    const order = ((hx >>> shift) & MASK) - ((hy >>> shift) & MASK);
    if (order !== 0) return order;
  }
  return 0;
}
