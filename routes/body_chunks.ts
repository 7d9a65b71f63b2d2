/** A request's body as it comes. */
import { byteReader } from "../assets/byte_reader.ts";
import { nextTurn } from "../sync/next_turn.ts";

/** The client has gone, or has sent less than it said: no fault of ours. */
export class BodyCutOffError extends Error {
  override readonly name = "BodyCutOffError";
}

type Bytes = Uint8Array<ArrayBuffer>;

/** Deno reads bodies in pieces of this size, too. */
const READ_BYTES = 64 * 1024;

/** With less room than this for more, what is read goes on. */
const LEAST_ROOM = 16 * 1024;

/** So often others have a turn: chunks that are there already come without one. */
const READS_A_TURN = 64;

/**
 * In chunks that are as good as full, but for the last one: a client may send a byte in each of its own. Deno
 * (2.9) has 64 KiB for each of those, and 100,000 of them, 600 KB, took 5 GB and a minute.
 *
 * @throws {BodyCutOffError} the body has broken off before its end
 */
export async function* bodyChunks(request: Request): AsyncGenerator<Bytes> {
  try {
    if (request.body !== null) yield* filled(request.body);
  } catch (cause) {
    throw new BodyCutOffError("Cannot read a body to its end", { cause });
  }
}

async function* filled(body: ReadableStream<Bytes>): AsyncGenerator<Bytes> {
  const reader = byteReader(body);
  if (reader === undefined) return yield* body;
  let memory = new ArrayBuffer(READ_BYTES);
  let bytes = 0;
  try {
    for (let reads = 1;; reads++) {
      const { done, value } = await reader.read(new Uint8Array(memory, bytes));
      if (value === undefined) return;
      memory = value.buffer;
      bytes += value.length;
      if (bytes > 0 && (done || memory.byteLength - bytes < LEAST_ROOM)) {
        yield new Uint8Array(memory, 0, bytes);
        memory = new ArrayBuffer(READ_BYTES);
        bytes = 0;
      }
      if (done) return;
      if (reads % READS_A_TURN === 0) await nextTurn();
    }
  } finally {
    // Lets go of the stream where whoever takes the chunks has left; else it has ended already.
    await reader.cancel().catch(() => {});
  }
}
