/** Bodies that are read into memory which their reader gives. */

/** `undefined`: it is no byte stream, as the body of a small request, which Deno (2.9) has whole. */
export function byteReader(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    // TypeError: it can't.
    return undefined;
  }
}
