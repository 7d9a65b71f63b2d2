import assert from "node:assert/strict";
import { headKey } from "../../kv/keys.ts";
import { newGraphId } from "../../protocol/ids.ts";
import { beat, startHeartbeat } from "../../sync/heartbeat.ts";
import { Hub } from "../../sync/hub.ts";
import { blockTx } from "../support/forms.ts";
import { withMethods } from "../support/kv.ts";
import { loggedBy } from "../support/log.ts";
import { Process } from "../support/process.ts";
import { Recorder } from "../support/recorder.ts";

Deno.test("Everybody is reminded of his graph's version, as it is in the store; who listens to one that is gone is told so", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const hub = new Hub();
  const graph = await server.createGraph();
  const [one, other, lost] = [new Recorder(), new Recorder(), new Recorder()];
  for (const listener of [one, other]) hub.add(graph, listener);
  hub.add(newGraphId(), lost);
  await server.write(graph, 0, blockTx(crypto.randomUUID(), "a"));
  await beat(kv, hub);
  assert.deepEqual([one.heard, other.heard, lost.heard], [["still 1"], ["still 1"], [
    "close 4404 graph deleted",
  ]]);
});

Deno.test("A head that is damaged keeps nobody else from being reminded", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const hub = new Hub();
  const [graph, damaged] = [await server.createGraph(), await server.createGraph()];
  const [one, lost] = [new Recorder(), new Recorder()];
  hub.add(damaged, lost);
  hub.add(graph, one);
  await kv.set(headKey(damaged), "no head");
  const logged = await loggedBy(() => beat(kv, hub));
  assert.deepEqual([one.heard, lost.heard], [["still 0"], []]);
  assert.deepEqual(logged.map(({ level, properties }) => [level, properties["key"]]), [
    ["error", headKey(damaged)],
  ]);
});

Deno.test("A heartbeat goes on past a fault of the store, until it is ended", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).createGraph();
  const hub = new Hub();
  const recorder = new Recorder();
  hub.add(graph, recorder);
  let calls = 0;
  const failing = withMethods(kv, {
    getMany: async (keys: Deno.KvKey[]) => {
      if (calls++ === 0) throw new Error("the store is away");
      return await kv.getMany(keys);
    },
  });
  const end = startHeartbeat(failing, hub, 1);
  assert.equal(await recorder.next(), "still 0");
  end();
  assert.ok(calls >= 2);
});
