/** Which bytes of a file a `Range` header asks for (RFC 9110 §14.2). */
import { parse } from "range-parser";

/** Bytes with start ≤ i < end. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * `undefined`: the header asks for the whole file, or for what may be answered with it: several
 * ranges, units other than bytes, what is no range.
 */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | "not satisfiable" | undefined {
  if (header === undefined) return undefined;
  const { code, type, ranges } = parse(size, header);
  const [range, ...more] = ranges;
  if (type !== "bytes" || (code & MALFORMED) !== 0 || more.length > 0) return undefined;
  return range === undefined ? "not satisfiable" : { start: range.start, end: range.end + 1 };
}

/** The bit of range-parser's code that says so. */
const MALFORMED = 1;
