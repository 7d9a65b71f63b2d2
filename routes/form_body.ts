/** A form that anybody may send: read whole, up to a size, with little kept for one that stops on its way. */
import { byteReader } from "../assets/byte_reader.ts";

/** What came in the place of a form: more than there may be, of bytes or of pieces, or not all of it. */
export type FormFault = "too large" | "cut off";

type Piece = ReadableStreamReadResult<Uint8Array<ArrayBuffer>>;

/**
 * Deno (2.9) has as much in memory for each body that is waited for, for as long as its client likes; by
 * itself 64 KiB and more: 1500 forms that stopped behind a byte held 300 MB.
 */
const BUFFER_BYTES = 1024;

/**
 * A browser's form comes in as many as there are KiB, or a few more. Each takes 35 µs, and nobody else has a
 * turn while others are there: 16,000 chunks of a byte, 96 KB, kept everybody waiting for 0.6 s.
 */
const MAX_PIECES = 256;

/** A form without fields for what is none. */
export async function readForm(request: Request, maxBytes: number): Promise<FormData | FormFault> {
  if (Number(request.headers.get("content-length")) > maxBytes) return "too large";
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const read = request.body === null ? undefined : readingOf(request.body);
  try {
    for (let bytes = 0; read !== undefined;) {
      const { done, value } = await read();
      if (done) break;
      bytes += value.length;
      chunks.push(value);
      if (bytes > maxBytes || chunks.length > MAX_PIECES) return "too large";
    }
  } catch {
    // The client's body, or the client: no fault of ours.
    return "cut off";
  }
  const type = request.headers.get("content-type") ?? "";
  // TypeError: it isn't the form that its type says.
  return await new Response(new Blob(chunks), { headers: { "content-type": type } })
    .formData().catch(() => new FormData());
}

function readingOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): () => Promise<Piece> {
  const reader = byteReader(body);
  if (reader !== undefined) return () => reader.read(new Uint8Array(BUFFER_BYTES));
  const plain = body.getReader();
  return () => plain.read();
}
