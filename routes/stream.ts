/** An answer in chunks, read only as fast as the client reads. */
import type { Context } from "hono";
import { loggerFor } from "../telemetry/log.ts";

const log = loggerFor("http");

/**
 * 200 with these chunks. The first one is made before the answer begins, so that a fault there
 * still becomes a 500; a later one can only cut the answer off, which no client takes for whole.
 */
export async function streamJson(
  c: Context,
  chunks: AsyncGenerator<Uint8Array<ArrayBuffer>>,
): Promise<Response> {
  return c.body(await begun(chunks), 200, { "content-type": "application/json" });
}

/** These chunks as a body; the first one has been made. */
export async function begun(chunks: AsyncGenerator<Uint8Array>): Promise<ReadableStream> {
  const first = await chunks.next();
  if (first.done) return ReadableStream.from([]);
  return ReadableStream.from(following(first.value, chunks));
}

async function* following(
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield first;
  try {
    yield* rest;
  } catch (cause) {
    log.error("Cannot go on with an answer that has begun", { cause });
    throw cause;
  }
}
