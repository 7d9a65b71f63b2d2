import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { gzip } from "../../routes/gzip.ts";
import { within } from "../support/deadline.ts";
import { noise } from "../support/noise.ts";

/** 64 KiB that don't compress. */
const CHUNK = new TextEncoder().encode(noise(65_536));

Deno.test("What is zipped in pieces is unzipped whole", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 2000 })), async (pieces) => {
      const zipped = ReadableStream.from<Uint8Array>(pieces).pipeThrough(gzip());
      const whole = gunzipSync(await new Response(zipped).bytes());
      assert.deepEqual([...whole], pieces.flatMap((piece) => [...piece]));
    }),
  );
});

Deno.test("No more is taken than is asked for, and nothing once the reader has left", async () => {
  let taken = 0;
  const ended = Promise.withResolvers<void>();
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;; taken++) yield CHUNK;
    } finally {
      ended.resolve();
    }
  }
  const reader = ReadableStream.from(endless()).pipeThrough(gzip()).getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(taken < 10, `${taken} chunks were taken`);
  await reader.cancel();
  await within(ended.promise, "the end of what is zipped");
});

Deno.test("A reader who leaves while a piece is made does no harm", async () => {
  for (let turns = 0; turns < 20; turns++) {
    const reader = ReadableStream.from([CHUNK, CHUNK, CHUNK]).pipeThrough(gzip()).getReader();
    void reader.read();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    await reader.cancel();
  }
  // What is thrown in a listener comes later, and fails the whole file.
  await new Promise((resolve) => setTimeout(resolve, 20));
});

Deno.test("What fails while it is read fails for the reader", async () => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield CHUNK;
    throw new RangeError("a row is gone");
  }
  const zipped = ReadableStream.from(failing()).pipeThrough(gzip());
  await assert.rejects(new Response(zipped).bytes(), RangeError);
});
