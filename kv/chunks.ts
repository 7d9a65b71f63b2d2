/**
 * Values of any size as parts that the store takes: bytes → parts → the same bytes. Where the parts
 * are kept is for others to say.
 *
 * Part 0: format (uint8), number of parts (uint32), CRC-32 of the whole payload (uint32), payload;
 * numbers are big-endian. Every further part: payload only. Format 0: the bytes as they are; 1: how
 * many bytes there are (uint32), and the bytes through deflate-raw; values from before 25 November
 * 2026 don't say how many.
 *
 * The CRC is for rows that are overwritten in place: a list is no snapshot, so a reader may meet
 * the old part 0 and the new part 1. That must be an error, not a row.
 */
import { crc32, deflateRawSync, inflateRawSync } from "node:zlib";
import { inflateSync } from "fflate";
import { concat, newBytes, plain, utf8 } from "./bytes.ts";
import { MAX_INFLATED_BYTES, PART_BYTES } from "./limits.ts";

/**
 * Four in five rows are of 512 to 1024 bytes, and deflate to 0.41 of them (bench encoding). Smaller
 * ones are few, so the exact threshold matters little.
 */
export const COMPRESS_FROM = 512;

/** The same for values whose deflating costs more than their room is worth: their writers say why. */
export const COMPRESS_LONG_FROM = 4096;

/** 1: half the time of 3 at nearly its ratio on real rows (platform.md §5). */
const DEFLATE_LEVEL = 1;

/**
 * Values up to this size are inflated in JavaScript: node's zlib takes as long to be set up. Of 2 to
 * 4 KB it takes half the time, from 1 to 2 KB nine tenths.
 */
const INFLATE_HERE_BYTES = 1024;

/** node's zlib takes no smaller buffer. */
const MIN_ZLIB_CHUNK = 64;

const HEADER_BYTES = 9;
const LENGTH_BYTES = 4;
const RAW = 0;
const DEFLATED = 1;

/** A text's unit takes at most so many. */
const UTF8_BYTES = 3;
/** The bytes of the text that is being encoded: nobody needs them once its parts are made. */
const scratch = new Uint8Array(64 * 1024);

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A value in the store is not what its writer put there: a part is missing, or bytes differ. */
export class CorruptValueError extends Error {
  override readonly name: string = "CorruptValueError";
}

/**
 * The parts of a value, in order; at least one. The bytes are only read.
 *
 * @param compressFrom so many bytes are deflated, fewer are kept as they are
 */
export function encodeParts(
  bytes: Uint8Array,
  compressFrom: number = COMPRESS_FROM,
): readonly Uint8Array[] {
  const whole = pack(bytes, compressFrom);
  const payload = whole.subarray(HEADER_BYTES);
  const count = Math.max(1, Math.ceil(payload.length / PART_BYTES));
  const header = viewOf(whole);
  header.setUint32(1, count);
  header.setUint32(5, crc32(payload));
  if (count === 1) return [whole];
  const parts = [whole.subarray(0, HEADER_BYTES + PART_BYTES)];
  for (let part = 1; part < count; part++) {
    parts.push(payload.subarray(part * PART_BYTES, (part + 1) * PART_BYTES));
  }
  return parts;
}

/**
 * The value whose parts these are. Parts beyond the count that part 0 states are not read.
 *
 * @throws {CorruptValueError} a part is missing, or the parts are not those of one value
 */
export function decodeParts(parts: readonly Uint8Array[]): Uint8Array {
  const [first, ...further] = parts;
  if (first === undefined) throw new CorruptValueError("Cannot read a value as it has no part 0");
  const { format, count, crc } = readHeader(first);
  if (parts.length < count) {
    throw new CorruptValueError(
      `Cannot read a value as parts are missing: ${parts.length} of ${count} are there`,
    );
  }
  const start = first.subarray(HEADER_BYTES);
  const payload = count === 1 ? start : concat([start, ...further.slice(0, count - 1)]);
  if (crc32(payload) !== crc) {
    throw new CorruptValueError("Cannot read a value as its parts don't belong together");
  }
  return unpack(format, payload);
}

/**
 * How many parts the value has of which this is part 0.
 *
 * @throws {CorruptValueError} it is no part 0
 */
export function partCount(first: Uint8Array): number {
  return readHeader(first).count;
}

/** As encodeParts, of the text's UTF-8. A lone surrogate becomes U+FFFD. */
export function encodeTextParts(text: string, compressFrom?: number): readonly Uint8Array[] {
  if (text.length * UTF8_BYTES > scratch.length) return encodeParts(utf8(text), compressFrom);
  const { written } = encoder.encodeInto(text, scratch);
  return encodeParts(scratch.subarray(0, written), compressFrom);
}

/** @throws {CorruptValueError} it is not UTF-8 */
export function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new CorruptValueError("Cannot read a value as text as it is not UTF-8", { cause });
  }
}

/** @throws {CorruptValueError} what the store has here is not a part of a value */
export function parsePart(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new CorruptValueError(`Cannot read a part as it must be bytes: it is ${typeof value}`);
}

/** A part as a scan comes upon it; `id` says whose it is. */
export interface FoundPart<Id> {
  readonly id: Id;
  readonly part: number;
  readonly bytes: Uint8Array;
}

/** The parts of one value: from 0 on as far as there is no gap. They may be too few. */
export interface FoundValue<Id> {
  readonly id: Id;
  readonly parts: readonly Uint8Array[];
}

/**
 * Gathers what a scan comes upon into values; the parts of one value have to follow each other in
 * order, as they do in the store. In memory are the values of one batch, and one that is not whole.
 * Whether all parts are there shows when they are decoded, so that the caller may read a value again
 * instead.
 */
export async function* gatherParts<Id>(
  found: AsyncIterable<readonly FoundPart<Id>[]>,
): AsyncGenerator<readonly FoundValue<Id>[]> {
  let value: { readonly id: Id; readonly parts: Uint8Array[] } | undefined;
  for await (const batch of found) {
    const whole: FoundValue<Id>[] = [];
    for (const { id, part, bytes } of batch) {
      if (value === undefined || value.id !== id) {
        if (value !== undefined) whole.push(value);
        value = { id, parts: [] };
      }
      if (part === value.parts.length) value.parts.push(bytes);
    }
    if (whole.length > 0) yield whole;
  }
  if (value !== undefined) yield [value];
}

/** Format and payload, deflated if that is smaller, with room for the header's other numbers. */
function pack(bytes: Uint8Array, compressFrom: number): Uint8Array {
  if (bytes.length < compressFrom) return packRaw(bytes);
  // zlib's own buffers are of 16 KiB each: more work for the collector than the rows themselves.
  const chunkSize = Math.max(MIN_ZLIB_CHUNK, bytes.length);
  const deflated = deflateRawSync(bytes, { level: DEFLATE_LEVEL, chunkSize });
  if (LENGTH_BYTES + deflated.length >= bytes.length) return packRaw(bytes);
  // Not of the pool, whose pieces stay as long as anything in them: a flush's rows wait for a full
  // commit, and one hot graph's peak was 20 MB higher.
  const whole = new Uint8Array(HEADER_BYTES + LENGTH_BYTES + deflated.length);
  whole[0] = DEFLATED;
  viewOf(whole).setUint32(HEADER_BYTES, bytes.length);
  whole.set(deflated, HEADER_BYTES + LENGTH_BYTES);
  return whole;
}

function packRaw(bytes: Uint8Array): Uint8Array {
  const whole = newBytes(HEADER_BYTES + bytes.length);
  whole[0] = RAW;
  whole.set(bytes, HEADER_BYTES);
  return whole;
}

function unpack(format: number, payload: Uint8Array): Uint8Array {
  switch (format) {
    case RAW:
      return payload;
    case DEFLATED:
      try {
        return inflate(payload);
      } catch (cause) {
        const old = inflateOld(payload);
        if (old !== undefined) return old;
        throw new CorruptValueError("Cannot inflate a value", { cause });
      }
    default:
      throw new CorruptValueError(`Cannot read a value as its format is unknown: ${format}`);
  }
}

/** @throws {RangeError | Error} these are not as many bytes as it says, or not deflated ones */
function inflate(payload: Uint8Array): Uint8Array {
  const length = viewOf(payload).getUint32(0);
  if (length > MAX_INFLATED_BYTES) {
    throw new RangeError(`${length} bytes are more than there may be`);
  }
  const deflated = payload.subarray(LENGTH_BYTES);
  const bytes = length <= INFLATE_HERE_BYTES
    ? inflateSync(deflated, { out: new Uint8Array(length) })
    : plain(inflateRawSync(deflated, { chunkSize: length, maxOutputLength: length }));
  if (bytes.length !== length) throw new RangeError(`${bytes.length} bytes in place of ${length}`);
  return bytes;
}

/** Of a value that doesn't say how many bytes there are; `undefined`: it is none. */
function inflateOld(payload: Uint8Array): Uint8Array | undefined {
  try {
    return plain(inflateRawSync(payload, { maxOutputLength: MAX_INFLATED_BYTES }));
  } catch {
    return undefined;
  }
}

function readHeader(
  first: Uint8Array,
): { readonly format: number; readonly count: number; readonly crc: number } {
  if (first.length < HEADER_BYTES) {
    throw new CorruptValueError(`Cannot read a value as its part 0 is cut: ${first.length} bytes`);
  }
  const header = viewOf(first);
  return { format: header.getUint8(0), count: header.getUint32(1), crc: header.getUint32(5) };
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
