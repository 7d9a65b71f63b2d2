import assert from "node:assert/strict";
import { jsonChunks } from "../../sync/json_chunks.ts";

const encoder = new TextEncoder();

async function textsOf(items: readonly string[]): Promise<string[]> {
  const batches = [items.slice(0, 1), [], items.slice(1)].map((batch) =>
    batch.map((item) => encoder.encode(item))
  );
  const chunks = jsonChunks('{"list":[', batches, '],"end":1}');
  const decoder = new TextDecoder("utf-8", { fatal: true });
  return (await Array.fromAsync(chunks)).map((chunk) => decoder.decode(chunk));
}

Deno.test("Items are put between what goes before and after, with commas", async () => {
  assert.deepEqual(await textsOf([]), ['{"list":[],"end":1}']);
  assert.deepEqual(await textsOf(["1"]), ['{"list":[1],"end":1}']);
  assert.deepEqual(await textsOf(["1", '"ü"', "null"]), ['{"list":[1,"ü",null],"end":1}']);
});

Deno.test("A long list comes in chunks of about 64 KiB, and no item is cut", async () => {
  const items = Array.from({ length: 100 }, (_, i) => `"${i} ${"ü".repeat(2500)}"`);
  const texts = await textsOf(items);
  assert.equal(texts.join(""), `{"list":[${items.join(",")}],"end":1}`);
  const sizes = texts.map((text) => encoder.encode(text).length);
  assert.ok(sizes.every((size) => size < 64 * 1024 + 5100), `${sizes}`);
  assert.ok(sizes.slice(0, -1).every((size) => size >= 64 * 1024), `${sizes}`);
});

Deno.test("An item above the size of a chunk is a chunk by itself", async () => {
  const large = `"${"x".repeat(200_000)}"`;
  const texts = await textsOf([large, large]);
  assert.equal(texts.length, 3);
  assert.equal(texts.join(""), `{"list":[${large},${large}],"end":1}`);
});
