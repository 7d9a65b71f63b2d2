import assert from "node:assert/strict";
import { FIRST_LIST_BATCH, LIST_BATCH, LIST_BATCH_BYTES, PART_BYTES } from "../../kv/limits.ts";
import { listBatches } from "../../kv/list.ts";
import { writeInCommits } from "../../kv/commit.ts";
import { withList } from "../support/kv.ts";

const prefix: Deno.KvKey = ["x"];

async function written(kv: Deno.Kv, count: number): Promise<void> {
  const sets = Array.from(
    { length: count },
    (_, i) => ({ key: [...prefix, i], value: i, size: 9 }),
  );
  assert.equal((await writeInCommits(kv, sets)).kind, "committed");
}

/** The same store, and how often it was asked for a list. */
function asked(kv: Deno.Kv): { readonly kv: Deno.Kv; readonly lists: () => number } {
  let lists = 0;
  const counting = withList(kv, (list) => {
    lists++;
    return list();
  });
  return { kv: counting, lists: () => lists };
}

/** Values of this many bytes. */
async function writtenBytes(kv: Deno.Kv, count: number, length: number): Promise<void> {
  for (let i = 0; i < count; i++) await kv.set([...prefix, i], new Uint8Array(length));
}

Deno.test("A list in batches has all entries in order, however many are wanted", async () => {
  for (const count of [0, 1, FIRST_LIST_BATCH - 1, FIRST_LIST_BATCH, FIRST_LIST_BATCH + 1, 1600]) {
    using kv = await Deno.openKv(":memory:");
    await written(kv, count);
    for (const wanted of [undefined, 1, 7, LIST_BATCH + 1, 5000]) {
      const all = Array.from({ length: count }, (_, i) => i);
      const start = [...prefix, 1];
      for (
        const [selector, expected] of [
          [{ prefix }, all],
          [{ prefix, start }, all.slice(1)],
          [{ start, end: [...prefix, 1500] }, all.slice(1, 1500)],
        ] as const
      ) {
        const batches = await Array.fromAsync(listBatches(kv, selector, wanted));
        assert.ok(batches.every(({ length }) => length > 0 && length <= LIST_BATCH));
        assert.deepEqual(batches.flat().map(({ value }) => value), expected);
      }
    }
  }
});

Deno.test("Batches get as long as is good for short values, and stay as short as is for long ones", async () => {
  using kv = await Deno.openKv(":memory:");
  await writtenBytes(kv, 1300, 1000);
  const short = await Array.fromAsync(listBatches(kv, { prefix }), ({ length }) => length);
  assert.deepEqual(short, [FIRST_LIST_BATCH, LIST_BATCH, LIST_BATCH, 200]);
  await writtenBytes(kv, 300, PART_BYTES);
  for await (const batch of listBatches(kv, { prefix, end: [...prefix, 300] })) {
    const bytes = batch.length * PART_BYTES;
    assert.ok(bytes <= LIST_BATCH_BYTES || batch.length === FIRST_LIST_BATCH, `${bytes}`);
  }
});

Deno.test("The next batch is asked for before one is given, unless it is more than is wanted", async () => {
  using kv = await Deno.openKv(":memory:");
  await written(kv, 3 * LIST_BATCH);
  const all = asked(kv);
  for await (const batch of listBatches(all.kv, { prefix })) {
    assert.equal(batch.length, FIRST_LIST_BATCH);
    assert.equal(all.lists(), 2);
    break;
  }
  const some = asked(kv);
  const sizes: number[] = [];
  for await (const batch of listBatches(some.kv, { prefix }, 692)) {
    sizes.push(batch.length);
    if (sizes.length === 3) break;
  }
  assert.deepEqual(sizes, [99, 297, 296]);
  assert.equal(some.lists(), 3);
});

Deno.test("A store that fails fails the list, but not whoever has left it", async () => {
  using kv = await Deno.openKv(":memory:");
  await written(kv, 2 * LIST_BATCH);
  const failing = (): Deno.Kv => {
    let lists = 0;
    return withList(kv, async function* (list): AsyncGenerator<Deno.KvEntry<unknown>> {
      if (lists++ > 0) throw new Error("connection reset");
      yield* list();
    });
  };
  await assert.rejects(Array.fromAsync(listBatches(failing(), { prefix })), /connection reset/);
  for await (const batch of listBatches(failing(), { prefix })) {
    assert.equal(batch.length, FIRST_LIST_BATCH);
    break;
  }
});
