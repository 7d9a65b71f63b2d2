import assert from "node:assert/strict";
import { rowJson } from "../../kv/rows.ts";
import { compareRows } from "../../sync/compare_rows.ts";
import { withList } from "../support/kv.ts";
import { address } from "../support/ids.ts";
import { noise } from "../support/noise.ts";
import { headOf, Process } from "../support/process.ts";

Deno.test("Long rows that are there are read one after the other, each beside the one that was sent", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).graphWith(
    [1, 2, 3].map((addr) => [addr, noise(200_000), null]),
  );
  const { rows } = await headOf(kv, graph);
  const events: string[] = [];
  const sent = [0, 1, 2, 3].map((addr) => ({
    addr: address(addr),
    get json(): Uint8Array {
      events.push(`compared ${addr}`);
      return rowJson({ addr: address(addr), content: "other", addresses: null }).json;
    },
  }));
  const store = withList(kv, (list) => {
    events.push("read");
    return list();
  });
  const { added, changed } = await compareRows(store, graph, rows, sent);
  assert.deepEqual([added, changed], [sent.slice(0, 1), sent.slice(1)]);
  const each = [1, 2, 3].flatMap((addr) => ["read", `compared ${addr}`]);
  assert.deepEqual(events.slice(0, 6), each);
});
