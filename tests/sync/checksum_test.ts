import assert from "node:assert/strict";
import { summedStretches } from "../../sync/checksum.ts";
import { txOf } from "../support/forms.ts";
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
