import assert from "node:assert/strict";
import { type Asset, nameBlob, type NamedAsset, readAsset, unnameBlob } from "../../kv/assets.ts";
import { createGraph, readGraphGuard, readMeta, removeGraph } from "../../kv/graphs.ts";
import {
  endUpload,
  forgetLoose,
  listLoose,
  type Loose,
  markUpload,
  readLoose,
  renewUpload,
} from "../../kv/loose.ts";
import { type GraphId, newBlobId, newGraphId, parseAssetName } from "../../protocol/ids.ts";
import { dump } from "../support/kv.ts";
import { ALICE, headOf } from "../support/process.ts";

const NAME = parseAssetName(`${crypto.randomUUID()}.png`);
assert.ok(NAME !== undefined);
const name = NAME;
const FACTS: Omit<Asset, "blob" | "store"> = { size: 1, sha256: "00", createdAt: 7 };

async function newGraph(kv: Deno.Kv): Promise<GraphId> {
  const graph = newGraphId();
  await createGraph(kv, graph, { owner: ALICE, name: "notes", createdAt: 0 });
  return graph;
}

async function remove(kv: Deno.Kv, graph: GraphId): Promise<void> {
  const meta = await readMeta(kv, graph);
  assert.ok(meta !== undefined);
  await removeGraph(kv, meta, await headOf(kv, graph), 0);
}

async function guardOf(kv: Deno.Kv, graph: GraphId): Promise<Deno.AtomicCheck> {
  const guard = await readGraphGuard(kv, graph);
  assert.ok(guard !== undefined);
  return guard;
}

async function newUpload(kv: Deno.Kv, graph: GraphId): Promise<Loose> {
  const place = { graph, blob: newBlobId() };
  const outcome = await markUpload(kv, place, "kv", 5, await guardOf(kv, graph));
  assert.ok(outcome.kind === "committed");
  return outcome.loose;
}

/** A new file of this name. */
async function named(kv: Deno.Kv, graph: GraphId): Promise<NamedAsset> {
  const upload = await newUpload(kv, graph);
  const before = await readAsset(kv, graph, name);
  const outcome = await nameBlob(kv, before, upload, FACTS, await guardOf(kv, graph));
  assert.equal(outcome.kind, "committed");
  return await readAsset(kv, graph, name);
}

Deno.test("A blob that gets a name has no marker any more, and the one that had the name has one", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const first = await named(kv, graph);
  assert.deepEqual(await Array.fromAsync(listLoose(kv)), []);
  const second = await named(kv, graph);
  assert.notEqual(second.asset?.blob, first.asset?.blob);
  assert.equal((await unnameBlob(kv, second, 8)).kind, "committed");
  assert.equal((await readAsset(kv, graph, name)).asset, undefined);
  const markers = await Array.fromAsync(listLoose(kv));
  assert.deepEqual(
    new Set(markers.map(({ place, why, since }) => [place.blob, why, since].join())),
    new Set([`${first.asset?.blob},dropped,7`, `${second.asset?.blob},dropped,8`]),
  );
});

const between: Readonly<Record<string, (kv: Deno.Kv, upload: Loose) => Promise<unknown>>> = {
  "its graph is removed": (kv, { place }) => remove(kv, place.graph),
  "the name gets another file": (kv, { place }) => named(kv, place.graph),
  "its upload is ended": (kv, upload) => endUpload(kv, upload, 6),
  "its marker is deleted": (kv, upload) => forgetLoose(kv, upload),
};
for (const [what, happens] of Object.entries(between)) {
  Deno.test(`A blob gets no name if ${what} meanwhile`, async () => {
    using kv = await Deno.openKv(":memory:");
    const graph = await newGraph(kv);
    const guard = await guardOf(kv, graph);
    const upload = await newUpload(kv, graph);
    const free = await readAsset(kv, graph, name);
    await happens(kv, upload);
    const before = await dump(kv);
    assert.deepEqual(await nameBlob(kv, free, upload, FACTS, guard), { kind: "conflict" });
    assert.deepEqual(await dump(kv), before);
  });
}

Deno.test("A name is taken from the file that was read and from no other", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const first = await named(kv, graph);
  await named(kv, graph);
  const before = await dump(kv);
  assert.deepEqual(await unnameBlob(kv, first, 8), { kind: "conflict" });
  assert.deepEqual(await dump(kv), before);
});

Deno.test("No upload begins in a graph that was removed", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const guard = await guardOf(kv, graph);
  await remove(kv, graph);
  const place = { graph, blob: newBlobId() };
  assert.deepEqual(await markUpload(kv, place, "kv", 5, guard), { kind: "conflict" });
  assert.equal(await readLoose(kv, place), undefined);
});

Deno.test("A marker that has changed is not renewed, ended or deleted by who has read it before", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const upload = await newUpload(kv, graph);
  const renewed = await renewUpload(kv, upload, 6);
  assert.ok(renewed.kind === "committed");
  assert.deepEqual(await readLoose(kv, upload.place), renewed.loose);
  assert.equal(renewed.loose.since, 6);
  for (const change of [renewUpload, endUpload, forgetLoose]) {
    assert.deepEqual(await change(kv, upload, 7), { kind: "conflict" });
  }
  assert.deepEqual(await readLoose(kv, upload.place), renewed.loose);
});
