import assert from "node:assert/strict";
import { encodeNode } from "../../datascript/node.ts";
import { rowJson } from "../../kv/rows.ts";
import { addrOf } from "../../sync/database.ts";
import { CachedNodes, NodeCache, rowsIdOf } from "../../sync/node_cache.ts";
import { headOf, Process } from "../support/process.ts";
import { fact } from "../support/written.ts";

const ADDRESS = 5;

Deno.test("A node that is too large is not kept, though its row was", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const head = await headOf(kv, await server.createGraph());
  const row = { addr: addrOf(ADDRESS), ...encodeNode([fact(1, "a", "x".repeat(5000))]) };
  const cache = new NodeCache(10_000);
  const nodes = new CachedNodes(cache, head);

  nodes.offerRow(rowJson(row));
  assert.equal(cache.placesOf(rowsIdOf(head))?.has(ADDRESS), true);
  assert.ok(nodes.get(ADDRESS) !== undefined);
  assert.equal(cache.placesOf(rowsIdOf(head)), undefined);
  // Whoever asked for it has it until it is unpinned.
  assert.ok(nodes.get(ADDRESS) !== undefined);
  nodes.unpin();
  assert.equal(nodes.get(ADDRESS), undefined);
});
