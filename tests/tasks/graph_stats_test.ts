import assert from "node:assert/strict";
import { statsLines } from "../../tasks/graph_stats.ts";
import { graphStats } from "../../sync/stats.ts";
import { txOf } from "../support/forms.ts";
import { TestGraph } from "../support/graph.ts";

function block(i: number): string {
  const uuid = `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`;
  return txOf(["^ ", "~:block/uuid", `~u${uuid}`, "~:block/title", `${i}`]);
}

Deno.test("The stats of a graph tell its trees, tail, log and garbage", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await TestGraph.create(kv);
  for (let t = 0; t < 10; t++) {
    await graph.batch(t, [block(t)]);
    if (t === 7) await graph.flush();
  }
  const stats = await graphStats(kv, graph.graph);
  assert.ok(stats !== undefined);
  const { rows, rowBytes, logBytes, ...counts } = stats;
  assert.deepEqual(counts, {
    t: 10,
    datoms: 16,
    garbageRows: 3,
    tailTransactions: 2,
    tailDatoms: 4,
    logEntries: 10,
  });
  assert.ok(rows > 3 && rowBytes > 0 && logBytes > 0);
  const lines = await statsLines(kv, [graph.graph]);
  assert.equal(lines[0], "t                  10");
  assert.equal(lines[4], "tail               2 transactions, 4 datoms");
});

Deno.test("What is no graph's id, or no graph, is said", async () => {
  using kv = await Deno.openKv(":memory:");
  const none = crypto.randomUUID();
  await assert.rejects(statsLines(kv, []), /must be a graph's id/);
  await assert.rejects(statsLines(kv, ["notes"]), /must be a graph's id/);
  await assert.rejects(statsLines(kv, [none, none]), /must be one graph/);
  await assert.rejects(statsLines(kv, [none]), /There is no graph .*deno task graphs/);
});
