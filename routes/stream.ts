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
  const body = await startedStream(c, chunks);
  return c.body(body, 200, { "content-type": "application/json" });
}

/** These chunks as a stream, of which the first one is made already: what it throws is thrown here. */
export async function startedStream(
  c: Context,
  chunks: AsyncGenerator<Uint8Array>,
): Promise<ReadableStream> {
  const first = await chunks.next();
  return ReadableStream.from(first.done ? [] : following(c, first.value, chunks));
}

async function* following(
  c: Context,
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield first;
  try {
    yield* rest;
  } catch (cause) {
    // The request's own fields (`withLogFields`) don't reach here, where the server reads the stream.
    log.error("Cannot go on with the answer to {method} {path}, which has begun", {
      method: c.req.method,
      path: c.req.path,
      user: c.get("user"),
      graph: c.get("graph"),
      cause,
    });
    throw cause;
  }
}
