/**
 * Sums by which two indexes are seen to hold the same datoms, in whatever order they come, without
 * either of them in memory. The sums are kept by entity, so that a difference is narrowed down.
 *
 * They are for damage, not for malice: two datoms that differ have the same 64 bits only by chance.
 */

import type { Datom } from "./datom.ts";
import { hash, hashKeyword } from "./hash.ts";
import type { Value } from "./value.ts";

/** Sums by entity: 32 KiB each, and in a graph of a million datoms 250 datoms for each sum. */
const BUCKETS = 4096;

export class Fingerprint {
  readonly #low = new Uint32Array(BUCKETS);
  readonly #high = new Uint32Array(BUCKETS);

  add(datom: Datom): void {
    const bucket = bucketOf(datom);
    this.#low[bucket] = (this.#low[bucket] ?? 0) + mixed(datom, 0x2545f491);
    this.#high[bucket] = (this.#high[bucket] ?? 0) + mixed(datom, 0x6c62272e);
  }

  /** The buckets in which two differ. */
  differing(other: Fingerprint): ReadonlySet<number> {
    const found = new Set<number>();
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const same = this.#low[bucket] === other.#low[bucket] &&
        this.#high[bucket] === other.#high[bucket];
      if (!same) found.add(bucket);
    }
    return found;
  }
}

/** The bucket that a datom counts in. */
export function bucketOf({ e }: Datom): number {
  return ((e % BUCKETS) + BUCKETS) % BUCKETS;
}

function mixed({ e, a, v, tx }: Datom, seed: number): number {
  let h = seed;
  for (const word of [e, hashKeyword(a), hash(v), ...bitsOf(v), tx]) {
    h = Math.imul(h ^ word, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 15), 0x85ebca77);
    h ^= h >>> 13;
  }
  return h;
}

const words = new DataView(new ArrayBuffer(8));

/** What ClojureScript's hash leaves out of numbers and instants. */
function bitsOf(v: Value): readonly number[] {
  if (typeof v !== "number" && !(v instanceof Date)) return [];
  // +0 and -0 are equal to DataScript.
  words.setFloat64(0, Number(v) + 0);
  return [words.getInt32(0), words.getInt32(4)];
}
