import assert from "node:assert/strict";
import { LIST_BATCH } from "../../kv/limits.ts";
import { listBatches } from "../../kv/list.ts";
import { writeInCommits } from "../../kv/commit.ts";

const prefix: Deno.KvKey = ["x"];

async function written(kv: Deno.Kv, count: number): Promise<void> {
  const sets = Array.from(
    { length: count },
    (_, i) => ({ key: [...prefix, i], value: i, size: 9 }),
  );
  assert.equal((await writeInCommits(kv, sets)).kind, "committed");
}

/** The same store, and how many entries were asked for. */
function asked(kv: Deno.Kv): { readonly kv: Deno.Kv; readonly entries: () => number } {
  let entries = 0;
  const proxy = new Proxy(kv, {
    get(target, name): unknown {
      const value: unknown = Reflect.get(target, name);
      if (name !== "list") return typeof value === "function" ? value.bind(target) : value;
      return (...args: Parameters<Deno.Kv["list"]>) => {
        const list = target.list(...args);
        const next = list.next.bind(list);
        list.next = () => {
          entries++;
          return next();
        };
        return list;
      };
    },
  });
  return { kv: proxy, entries: () => entries };
}

Deno.test("A list in batches has all entries in order, however many are wanted", async () => {
  for (const count of [0, 1, LIST_BATCH - 1, LIST_BATCH, LIST_BATCH + 1, 3 * LIST_BATCH]) {
    using kv = await Deno.openKv(":memory:");
    await written(kv, count);
    for (const wanted of [undefined, 1, 7, LIST_BATCH + 1, 5000]) {
      const batches = await Array.fromAsync(listBatches(kv, { prefix }, wanted));
      assert.ok(batches.every(({ length }) => length > 0 && length <= LIST_BATCH));
      assert.deepEqual(
        batches.flat().map(({ value }) => value),
        Array.from({ length: count }, (_, i) => i),
      );
    }
  }
});

Deno.test("The next batch is asked for before one is given, unless it is more than is wanted", async () => {
  using kv = await Deno.openKv(":memory:");
  await written(kv, 3 * LIST_BATCH);
  const all = asked(kv);
  for await (const batch of listBatches(all.kv, { prefix })) {
    assert.equal(batch.length, LIST_BATCH);
    assert.equal(all.entries(), LIST_BATCH + 1);
    break;
  }
  const some = asked(kv);
  const sizes: number[] = [];
  for await (const batch of listBatches(some.kv, { prefix }, 602)) {
    sizes.push(batch.length);
    if (sizes.length === 2) break;
  }
  assert.deepEqual(sizes, [301, 301]);
  assert.equal(some.entries(), 602);
});

Deno.test("A store that fails fails the list, but not whoever has left it", async () => {
  using kv = await Deno.openKv(":memory:");
  await written(kv, 2 * LIST_BATCH);
  const failing = new Proxy(kv, {
    get: (target, name) => {
      assert.equal(name, "list");
      return async function* (
        ...args: Parameters<Deno.Kv["list"]>
      ): AsyncGenerator<Deno.KvEntry<unknown>> {
        let left = LIST_BATCH;
        for await (const entry of target.list(...args)) {
          if (left-- === 0) throw new Error("connection reset");
          yield entry;
        }
      };
    },
  });
  await assert.rejects(Array.fromAsync(listBatches(failing, { prefix })), /connection reset/);
  for await (const batch of listBatches(failing, { prefix })) {
    assert.equal(batch.length, LIST_BATCH);
    break;
  }
});
