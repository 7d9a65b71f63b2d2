/**
 * Rows on their way up and down in today's dialect (upstream.md §1.10): frames one after the other,
 * each of them a length (4 bytes, unsigned, big-endian) and as many bytes of payload: UTF-8 of the
 * Transit JSON of an array of rows. Whether all of that is gzipped is for others to see.
 */

// @ts-types="@types/transit-js"
import transit from "transit-js";
import { z } from "zod";
import { importRowSchema, MAX_ROW_LENGTH, rowLength } from "../http.ts";
import { isModestTransit } from "../json.ts";

/** A row as it is on the wire; no third element says the same as null. */
export type WireRow = z.output<typeof importRowSchema>;

/** A frame's payload may have this many bytes: clients send up to 1 MB, unless one row is larger. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** Values in a frame: rows have up to five each, and clients' frames come to some thousands. */
const MAX_FRAME_VALUES = 750_000;

/**
 * `too large`: a frame, `row too large`: a row in it. `malformed`: the bytes end within a frame, or
 * one holds no rows.
 */
export type FrameFault = "malformed" | "too large" | "row too large";

/** The sender's bytes are not frames of rows. */
export class FrameError extends Error {
  override readonly name = "FrameError";

  constructor(readonly fault: FrameFault, options?: ErrorOptions) {
    super(`Cannot read frames of rows: ${fault}`, options);
  }
}

const HEADER_BYTES = 4;

/** Rows are gathered to frames of about this many characters, so that neither side holds many. */
const FRAME_LENGTH = 512 * 1024;

/**
 * The payloads of the frames that the chunks hold, wherever they are cut. In memory is one frame,
 * as far as it has come; how long it says it is, is looked at first.
 *
 * @throws {FrameError} `too large`, or `malformed`: the last frame is cut off
 */
export async function* readFrames(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number = MAX_FRAME_BYTES,
): AsyncGenerator<Uint8Array> {
  const held = new HeldBytes();
  let length: number | undefined;
  for await (const chunk of chunks) {
    held.add(chunk);
    for (;;) {
      if (length === undefined) {
        if (held.size < HEADER_BYTES) break;
        length = lengthIn(held.take(HEADER_BYTES));
        if (length > maxBytes) throw new FrameError("too large");
      }
      if (held.size < length) break;
      const payload = held.take(length);
      length = undefined;
      yield payload;
    }
  }
  if (length !== undefined || held.size > 0) throw new FrameError("malformed");
}

/**
 * The rows of a payload, in order.
 *
 * @throws {FrameError} `row too large`, or `malformed`: not UTF-8, not Transit, not rows
 */
export function decodeRows(
  payload: Uint8Array,
  maxRowLength: number = MAX_ROW_LENGTH,
): readonly WireRow[] {
  const rows = rowsSchema.safeParse(readTransit(payload));
  if (!rows.success) throw new FrameError("malformed", { cause: rows.error });
  if (rows.data.some((row) => rowLength(row) > maxRowLength)) throw new FrameError("row too large");
  return rows.data;
}

/** A row as it is kept: UTF-8 of `{"addr":…,"content":…,"addresses":…}`, so and without a space. */
export interface KeptRow {
  readonly json: Uint8Array;
}

/**
 * The rows as frames of about half a million characters; no rows, no frame. Reads on only when the
 * next frame is asked for.
 *
 * @param batches of rows
 * @throws what reading the rows throws
 */
export async function* rowFrames(
  batches: AsyncIterable<readonly KeptRow[]>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const decoder = new TextDecoder();
  let gathered: string[] = [];
  let length = 0;
  for await (const batch of batches) {
    for (const { json } of batch) {
      const row = transitOf(decoder.decode(json));
      gathered.push(row);
      length += row.length;
      if (length < FRAME_LENGTH) continue;
      yield frameOf(gathered);
      gathered = [];
      length = 0;
    }
  }
  if (gathered.length > 0) yield frameOf(gathered);
}

const CONTENT = ',"content":';
const ADDRESSES = ',"addresses":';

/**
 * A row's Transit out of its JSON, without reading either: a third of what it takes to parse and write
 * it. A quote within a text is escaped, so a field's name can't be in one.
 */
function transitOf(json: string): string {
  const content = json.indexOf(CONTENT);
  const addresses = json.indexOf(ADDRESSES, content);
  return [
    json.slice('{"addr":'.length, content),
    quoted(json.slice(content + CONTENT.length, addresses)),
    quoted(json.slice(addresses + ADDRESSES.length, -1)),
  ].join();
}

/** Transit puts a `~` before texts that begin with a mark of its own. */
function quoted(json: string): string {
  return /^"[~^`]/.test(json) ? `"~${json.slice(1)}` : json;
}

function frameOf(rows: readonly string[]): Uint8Array<ArrayBuffer> {
  const payload = new TextEncoder().encode(`[[${rows.join("],[")}]]`);
  const frame = new Uint8Array(HEADER_BYTES + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

const rowsSchema = z.array(importRowSchema);

/** A lazy sequence of the client's is a list to Transit. */
const READER_OPTIONS = { handlers: { list: (rep: unknown) => rep } };

/** A reader for each payload: its cache would lend one payload's words to the next. */
function readTransit(payload: Uint8Array): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload);
    if (!isModestTransit(text, MAX_FRAME_VALUES)) {
      throw new RangeError("It is too deep or too wide");
    }
    return transit.reader("json", READER_OPTIONS).read(text);
  } catch (cause) {
    // TypeError and SyntaxError: the sender's bytes; RangeError: they nest deeper than the stack.
    throw new FrameError("malformed", { cause });
  }
}

function lengthIn(header: Uint8Array): number {
  return new DataView(header.buffer, header.byteOffset, header.byteLength).getUint32(0);
}

/** Bytes that came in pieces and are taken in others. */
class HeldBytes {
  #pieces: Uint8Array[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#size += piece.length;
  }

  /** The first `count` bytes, of which there must be as many. */
  take(count: number): Uint8Array {
    const taken = new Uint8Array(count);
    let filled = 0;
    let used = 0;
    while (filled < count) {
      const piece = this.#pieces[used];
      if (piece === undefined) throw new RangeError(`Cannot take ${count} bytes of ${this.#size}`);
      const part = piece.subarray(0, count - filled);
      taken.set(part, filled);
      filled += part.length;
      if (part.length < piece.length) this.#pieces[used] = piece.subarray(part.length);
      else used++;
    }
    this.#pieces = this.#pieces.slice(used);
    this.#size -= count;
    return taken;
  }
}
