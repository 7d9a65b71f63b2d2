import assert from "node:assert/strict";
import { faultOfRows } from "../../sync/rows_check.ts";
import { counted } from "../support/counted_kv.ts";
import { longLeaves } from "../support/long_leaves.ts";
import { noise } from "../support/noise.ts";
import { headOf, Process } from "../support/process.ts";

Deno.test("Long rows are looked at one after the other: those behind one that is no node aren't read", async () => {
  using kv = await Deno.openKv(":memory:");
  const rows = longLeaves(8, 10).map(([addr, content, addresses]) =>
    addr >= 20 ? [addr, noise(200_000), addresses] as const : [addr, content, addresses] as const
  );
  const server = new Process(kv);
  const graph = await server.graphWith(rows.map((row) => [...row]));
  const { kv: store, take } = counted(kv);
  const head = await headOf(kv, graph);
  const fault = await faultOfRows({ kv: store, graph, rows: head.rows });
  assert.match(fault ?? "", /Transit|JSON/i);
  // Each has a first part, which is read with the others', and more, which are a list of their own.
  assert.equal(take().lists, 2);
});
