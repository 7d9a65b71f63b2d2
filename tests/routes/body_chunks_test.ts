import assert from "node:assert/strict";
import { bodyChunks, BodyCutOffError } from "../../routes/body_chunks.ts";
import { nextTurn } from "../../sync/next_turn.ts";

/** A request whose body comes in chunks of so many bytes, each there when it is asked for. */
function inChunks(count: number, size: number, end?: Error): Request {
  let left = count;
  const body = new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: 64 * 1024,
    pull(controller): void {
      const view = controller.byobRequest?.view;
      assert.ok(view !== null && view !== undefined);
      if (left-- > 0) {
        new Uint8Array(view.buffer, view.byteOffset, size).fill(left);
        return controller.byobRequest?.respond(size);
      }
      if (end !== undefined) return controller.error(end);
      controller.close();
      controller.byobRequest?.respond(0);
    },
  });
  return new Request("http://a/", { method: "POST", body });
}

Deno.test("A body in chunks of a byte is put together, and others have their turn meanwhile", async () => {
  let turns = 0;
  let isRead = false;
  const others = (async () => {
    for (; !isRead; turns++) await nextTurn();
  })();
  const chunks = await Array.fromAsync(bodyChunks(inChunks(20_000, 1)));
  isRead = true;
  await others;
  assert.equal(chunks.reduce((sum, { length }) => sum + length, 0), 20_000);
  assert.ok(chunks.length === 1, `${chunks.length} chunks`);
  assert.ok(turns > 100, `${turns} turns`);
  const whole = await new Blob(chunks).bytes();
  assert.ok(whole.every((byte, i) => byte === (20_000 - 1 - i) % 256));
});

Deno.test("A body of few bytes, and one of none, are what they are", async () => {
  assert.deepEqual(await Array.fromAsync(bodyChunks(inChunks(0, 1))), []);
  assert.deepEqual(await Array.fromAsync(bodyChunks(new Request("http://a/"))), []);
  const small = new Request("http://a/", { method: "POST", body: "ab" });
  assert.deepEqual(await new Blob(await Array.fromAsync(bodyChunks(small))).text(), "ab");
});

Deno.test("A body that breaks off says so, whatever had come", async () => {
  const request = inChunks(3, 1, new Error("gone"));
  await assert.rejects(Array.fromAsync(bodyChunks(request)), BodyCutOffError);
});
