import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import { readHead } from "../../kv/head.ts";
import { type SeenHead, watchHeads } from "../../kv/watch.ts";
import { newGraphId } from "../../protocol/ids.ts";
import { within } from "../support/deadline.ts";
import { startConnectServer } from "../support/kv_connect/server.ts";
import { blockTx } from "../support/forms.ts";
import { withMethods } from "../support/kv.ts";
import { Process } from "../support/process.ts";
import { openGraphs } from "../../sync/graphs.ts";

Deno.test("Over KV Connect a head that only another's news comes with is not taken for gone", async () => {
  await using server = startConnectServer();
  using watching = await server.open();
  using kv = await server.open();
  const process = new Process(kv);
  const [one, other] = [await process.createGraph(), await process.createGraph()];
  const end = new AbortController();
  const watch = watchHeads(watching, [one, other], end.signal);
  const next = async (): Promise<readonly (number | undefined)[]> => {
    const { value } = await within(watch.next(), "heads");
    return value === undefined ? [] : value.map(({ head }: SeenHead) => head?.t);
  };
  assert.deepEqual(await next(), [0, 0]);
  await process.write(one, 0, blockTx(crypto.randomUUID(), "x"));
  assert.deepEqual(await next(), [1, 0]);
  await process.write(other, 0, blockTx(crypto.randomUUID(), "x"));
  assert.deepEqual(await next(), [1, 1]);
  await openGraphs({ kv, stores: openBlobStores(kv), now: () => 1000 }).remove(one);
  assert.deepEqual(await next(), [undefined, 1]);
  assert.equal(await readHead(kv, one), undefined);
  end.abort();
  await watch.return(undefined);
});

Deno.test("A watch ends when it is told to, though the store never answers what it asks", async () => {
  using memory = await Deno.openKv(":memory:");
  const asked = Promise.withResolvers<void>();
  const kv = withMethods(memory, {
    getMany: () => {
      asked.resolve();
      return new Promise<never>(() => {});
    },
  });
  const end = new AbortController();
  // Of a graph that seems to be gone the store is asked.
  const watch = watchHeads(kv, [newGraphId()], end.signal);
  const next = watch.next();
  await within(asked.promise, "the question");
  end.abort();
  assert.deepEqual(await within(next, "the end"), { done: true, value: undefined });
});
