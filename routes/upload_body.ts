/**
 * Reads the body of `snapshot/upload`: frames of rows, gzipped or not. What is wrong with it shows
 * before anything is stored.
 */
import type { ErrorWord } from "../protocol/errors.ts";
import { decodeRows, FrameError, type FrameFault, readFrames } from "../protocol/today/frames.ts";
import { nextTurn } from "../sync/next_turn.ts";
import { ImportedRows } from "../sync/import.ts";
import { bodyChunks, BodyCutOffError } from "./body_chunks.ts";
import { heldChunks, type Hold } from "./body_share.ts";

export type UploadBodyRead =
  | { readonly ok: true; readonly rows: ImportedRows }
  | { readonly ok: false; readonly refusal: ErrorWord };

type Bytes = Uint8Array<ArrayBuffer>;

/** Of a body, as it comes and as what it is inflated to; one more is 413. */
const MAX_BYTES = 100 * 1024 * 1024;

/**
 * Frames beyond one for each row. One without rows is 6 bytes, and takes 50 µs to read: 10 MB of them, 44 KB
 * gzipped, kept everybody waiting for 80 s.
 */
const MAX_SPARE_FRAMES = 100;

/** RFC 1952 §2.3.1. No frame begins so: it would be of half a gigabyte. */
const GZIP_MAGIC = [0x1f, 0x8b];

const REFUSALS: Readonly<Record<FrameFault, ErrorWord>> = Object.freeze({
  "malformed": "invalid body",
  "too large": "body too large",
  "row too large": "snapshot row too large",
});

/**
 * The rows of all frames. Whether the body is gzipped is told by its first bytes, whatever its header
 * says: there are proxies between that inflate.
 *
 * @param maxBytes of the body as it comes, and of what it is inflated to
 * @throws {NoShareLeftError}
 */
export async function readUploadBody(
  request: Request,
  hold: Hold,
  maxBytes: number = MAX_BYTES,
): Promise<UploadBodyRead> {
  if (Number(request.headers.get("content-length")) > maxBytes) {
    return { ok: false, refusal: "body too large" };
  }
  try {
    return await readRows(limited(bodyChunks(request), maxBytes), maxBytes, hold);
  } catch (thrown) {
    if (thrown instanceof FrameError) return { ok: false, refusal: REFUSALS[thrown.fault] };
    if (thrown instanceof BodyCutOffError) return { ok: false, refusal: "invalid body" };
    throw thrown;
  }
}

/** @throws {FrameError | NoShareLeftError} */
async function readRows(
  body: AsyncGenerator<Bytes>,
  maxBytes: number,
  hold: Hold,
): Promise<UploadBodyRead> {
  const [start, whole] = await withStart(body);
  if (start.length === 0) return { ok: false, refusal: "missing body" };
  const isGzip = GZIP_MAGIC.every((byte, i) => start[i] === byte);
  const rows = new ImportedRows();
  let frames = 0;
  const inflated = isGzip ? gunzip(whole, maxBytes) : whole;
  for await (const payload of readFrames(heldChunks(inflated, hold))) {
    if (++frames > 1) await nextTurn();
    if (frames > MAX_SPARE_FRAMES + rows.count) throw new FrameError("malformed");
    for (const row of decodeRows(payload)) {
      if (!rows.add(row)) throw new FrameError("too large");
    }
  }
  return { ok: true, rows };
}

/** @throws {FrameError} `too large`: more bytes come than there may be */
async function* limited(
  chunks: AsyncIterable<Bytes>,
  maxBytes: number,
): AsyncGenerator<Bytes> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new FrameError("too large");
    yield chunk;
  }
}

/** The first two bytes, or as many as there are, and all of them. */
async function withStart(
  chunks: AsyncGenerator<Bytes>,
): Promise<readonly [Bytes, AsyncGenerator<Bytes>]> {
  const held: Bytes[] = [];
  let size = 0;
  while (size < GZIP_MAGIC.length) {
    const next = await chunks.next();
    if (next.done) break;
    held.push(next.value);
    size += next.value.length;
  }
  const whole = async function* (): AsyncGenerator<Bytes> {
    yield* held;
    yield* chunks;
  };
  const start = new Uint8Array(held.flatMap((chunk) => [...chunk.subarray(0, GZIP_MAGIC.length)]));
  return [start, whole()];
}

/** @throws {FrameError} `malformed`: not gzip, or cut off. `too large`: so many bytes come of it */
async function* gunzip(chunks: AsyncGenerator<Bytes>, maxBytes: number): AsyncGenerator<Bytes> {
  const inflated = ReadableStream.from(chunks).pipeThrough(new DecompressionStream("gzip"));
  try {
    yield* limited(inflated, maxBytes);
  } catch (cause) {
    // TypeError: the client's bytes. Others are of whoever gave these.
    throw cause instanceof TypeError ? new FrameError("malformed", { cause }) : cause;
  }
}
