import assert from "node:assert/strict";
import { summedStretches } from "../../sync/checksum.ts";
import { txOf } from "../support/forms.ts";
import { longLeaves } from "../support/long_leaves.ts";
import { headOf, Process } from "../support/process.ts";

/** A page with this eid, or a new one. */
function page(e: number, uuid: string): unknown {
  return ["^ ", "~:db/id", e, "~:block/uuid", `~u${uuid}`, "~:block/name", uuid];
}

Deno.test("A gap in the eids of a graph makes no stretch of those behind it longer", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.createGraph();
  const uuids = Array.from({ length: 3000 }, () => crypto.randomUUID());
  const [first = "", ...others] = uuids;
  await server.write(
    graph,
    0,
    txOf(page(200_000_000, first)),
    txOf(...others.map((uuid, i) => page(-1 - i, uuid))),
  );

  const open = await server.databases.open(await headOf(kv, graph));
  const stretches = await Array.fromAsync(summedStretches(server.databases, open));
  const summed = stretches.flat().map(({ uuid }) => uuid);
  assert.deepEqual(summed.toSorted(), uuids.toSorted());
  assert.ok(stretches.every(({ length }) => length <= 1024), `${stretches.map((s) => s.length)}`);
});

Deno.test("Of leaves of megabytes few are in memory at once, and each entity is summed once", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(longLeaves(5, 6_000_000));
  const open = await server.databases.open(await headOf(kv, graph));
  const { nodes } = open;
  const unpin = nodes.unpin.bind(nodes);
  let most = 0;
  nodes.unpin = (): void => {
    most = Math.max(most, nodes.pinnedLength);
    unpin();
  };
  const stretches = await Array.fromAsync(summedStretches(server.databases, open));
  assert.equal(new Set(stretches.flat().map(({ uuid }) => uuid)).size, 5);
  assert.equal(stretches.flat().length, 5);
  assert.ok(most < 25_000_000, `${most} characters`);
});
