import assert from "node:assert/strict";
import { readHead } from "../../kv/head.ts";
import type { GraphId } from "../../protocol/ids.ts";
import { Sizes } from "../../sync/sizes.ts";
import type { GraphSize } from "../../sync/stats.ts";
import { loggerFor } from "../../telemetry/log.ts";
import { counted, NOTHING } from "../support/counted_kv.ts";
import { readRows } from "../support/fixtures.ts";
import { blockTx } from "../support/forms.ts";
import { Process } from "../support/process.ts";

const MINUTE = 60 * 1000;
const LONG = 60_000;
const SMALL = readRows("small-a");

class Clock {
  ms = 1_000_000;
}

async function sizeOf(
  kv: Deno.Kv,
  sizes: Sizes,
  graph: GraphId,
  patienceMs = LONG,
): Promise<GraphSize | undefined> {
  const head = await readHead(kv, graph);
  assert.ok(head !== undefined);
  return await sizes.of(head, patienceMs);
}

Deno.test("A size is counted once, and again no sooner than 10 minutes after, if the graph changed", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  const clock = new Clock();
  const store = counted(kv);
  const sizes = new Sizes({ kv: store.kv, log: loggerFor("sizes"), now: () => clock.ms });

  const first = await sizeOf(kv, sizes, graph);
  assert.equal(first?.rows, SMALL.length);
  assert.ok((first?.bytes ?? 0) > 1000);
  assert.ok(store.take().lists > 0);

  clock.ms += 60 * MINUTE;
  assert.deepEqual(await sizeOf(kv, sizes, graph), first);
  assert.deepEqual(store.take(), NOTHING);

  await server.write(graph, 0, blockTx(crypto.randomUUID(), "a"));
  clock.ms -= 51 * MINUTE;
  assert.deepEqual(await sizeOf(kv, sizes, graph), first);
  assert.deepEqual(store.take(), NOTHING);

  clock.ms += MINUTE;
  const second = await sizeOf(kv, sizes, graph);
  assert.ok((second?.bytes ?? 0) > (first?.bytes ?? 0));
  assert.ok(store.take().lists > 0);
});

Deno.test("Who has no patience gets what is known, and many who ask at once one count", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).graphWith(SMALL);
  const store = counted(kv);
  const sizes = new Sizes({ kv: store.kv, log: loggerFor("sizes"), now: () => 0 });
  const asked = Array.from({ length: 5 }, () => sizeOf(kv, sizes, graph, 0));
  await Promise.all(asked);
  await sizes.idle();
  const { listed } = store.take();
  assert.equal((await sizeOf(kv, sizes, graph, 0))?.rows, SMALL.length);
  assert.deepEqual(store.take(), NOTHING);
  assert.ok(listed < 2 * SMALL.length, String(listed));
});

Deno.test("A count that fails is no size, and is tried again", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).graphWith(SMALL);
  const closed = await Deno.openKv(":memory:");
  closed.close();
  const sizes = new Sizes({ kv: closed, log: loggerFor("sizes"), now: () => 0 });
  assert.equal(await sizeOf(kv, sizes, graph), undefined);
  assert.equal(await sizeOf(kv, sizes, graph), undefined);
  await sizes.idle();
});
