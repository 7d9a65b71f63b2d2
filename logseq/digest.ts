/** Digests of single facts, and sums of them: the arithmetic of Logseq's checksum (upstream.md §1.11). */

/** Two sums modulo 2³², each from 0 to 2³² - 1. */
export interface Sum {
  readonly a: number;
  readonly b: number;
}

/** Of no fact. */
export const ZERO: Sum = Object.freeze({ a: 0, b: 0 });

const FNV_START = 2166136261;
const FNV_PRIME = 16777619;
const DJB_START = 5381;
const DJB_FACTOR = 33;

/** Stands between the three texts of a fact. */
const SEPARATOR = "\x1f";

/**
 * The digest of one fact, over its UTF-16 code units.
 *
 * @param attribute with its colon
 */
export function digestOf(uuid: string, attribute: string, value: string): Sum {
  const text = `${uuid}${SEPARATOR}${attribute}${SEPARATOR}${value}`;
  let [a, b] = [FNV_START, DJB_START];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, FNV_PRIME);
    b = Math.imul(b, DJB_FACTOR) + unit | 0;
  }
  return { a: a >>> 0, b: b >>> 0 };
}

export function plus(x: Sum, y: Sum): Sum {
  return { a: x.a + y.a >>> 0, b: x.b + y.b >>> 0 };
}

export function minus(x: Sum, y: Sum): Sum {
  return { a: x.a - y.a >>> 0, b: x.b - y.b >>> 0 };
}

/** 16 hexadecimal digits, lower case. */
export function encodeSum({ a, b }: Sum): string {
  return hex(a) + hex(b);
}

/** @param text as encodeSum makes it */
export function decodeSum(text: string): Sum {
  return { a: parseInt(text.slice(0, 8), 16), b: parseInt(text.slice(8), 16) };
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, "0");
}
