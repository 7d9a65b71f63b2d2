import assert from "node:assert/strict";
import { CorruptValueError } from "../../kv/chunks.ts";
import {
  countOwned,
  createGraph,
  type GraphMeta,
  isNameTaken,
  listOwned,
  readMeta,
  removeGraph,
} from "../../kv/graphs.ts";
import { commitHead, readHead } from "../../kv/head.ts";
import { graphKey, headKey } from "../../kv/keys.ts";
import { newGraphId, parseUserId } from "../../protocol/ids.ts";
import { dump } from "../support/kv.ts";
import { loggedBy } from "../support/log.ts";

function metaOf(sub: string): GraphMeta {
  const owner = parseUserId(sub);
  assert.ok(owner !== undefined);
  return { owner, name: "notes", schemaVersion: "65.2", createdAt: 5 };
}

Deno.test("A graph's meta comes back as it was written", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = newGraphId();
  const meta = metaOf("alice");
  await createGraph(kv, graph, meta);
  assert.deepEqual(await readMeta(kv, graph), meta);
  assert.equal(await readMeta(kv, newGraphId()), undefined);
});

Deno.test("A graph's flags come back as they were written, or not at all", async () => {
  using kv = await Deno.openKv(":memory:");
  const [graph, other] = [newGraphId(), newGraphId()];
  const meta = { ...metaOf("alice"), e2ee: true, readyForUse: false };
  await createGraph(kv, graph, meta);
  await createGraph(kv, other, metaOf("alice"));
  assert.deepEqual(await readMeta(kv, graph), meta);
  assert.deepEqual(await readMeta(kv, other), metaOf("alice"));
});

Deno.test("A graph that is there already is not made again", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = newGraphId();
  await createGraph(kv, graph, metaOf("alice"));
  const before = await dump(kv);
  assert.deepEqual(await createGraph(kv, graph, metaOf("bob")), { kind: "conflict" });
  assert.deepEqual(await dump(kv), before);
});

Deno.test("Of two graphs that are made on one count only the first is made", async () => {
  using kv = await Deno.openKv(":memory:");
  const meta = metaOf("alice");
  await createGraph(kv, newGraphId(), metaOf("alicent"));
  for (const count of [0, 1]) {
    const owned = await countOwned(kv, meta.owner, 5);
    assert.equal(owned.count, count);
    assert.equal((await createGraph(kv, newGraphId(), meta, { owned })).kind, "committed");
    const before = await dump(kv);
    assert.deepEqual(await createGraph(kv, newGraphId(), meta, { owned }), { kind: "conflict" });
    assert.deepEqual(await dump(kv), before);
  }
  assert.equal((await countOwned(kv, meta.owner, 1)).count, 1);
});

Deno.test("A graph whose head has moved since it was read is not removed", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = newGraphId();
  const meta = metaOf("alice");
  await createGraph(kv, graph, meta);
  const head = await readHead(kv, graph);
  assert.ok(head !== undefined);
  await commitHead(kv, head, head, { sets: [], deletes: [] });
  const before = await dump(kv);
  assert.deepEqual(await removeGraph(kv, meta, head, 0), { kind: "conflict" });
  assert.deepEqual(await dump(kv), before);
});

Deno.test("Only the user's own graphs are listed, with their heads", async () => {
  using kv = await Deno.openKv(":memory:");
  const [graph, other] = [newGraphId(), newGraphId()];
  const meta = metaOf("alice");
  await createGraph(kv, graph, meta);
  await createGraph(kv, other, metaOf("alicent"));
  const head = await readHead(kv, graph);
  assert.deepEqual(await listOwned(kv, meta.owner), [{ graph, meta, head }]);
});

Deno.test("A graph whose meta or head is damaged is logged, and keeps nobody from his others", async () => {
  using kv = await Deno.openKv(":memory:");
  const meta = metaOf("alice");
  const [sound, noMeta, noHead] = [newGraphId(), newGraphId(), newGraphId()];
  for (const graph of [sound, noMeta, noHead]) await createGraph(kv, graph, meta);
  await kv.set(graphKey(noMeta), "no meta");
  await kv.set(headKey(noHead), { t: -1 });
  const logged = await loggedBy(async () => {
    assert.deepEqual((await listOwned(kv, meta.owner)).map(({ graph }) => graph), [sound]);
  });
  assert.deepEqual(logged.map(({ level, properties }) => [level, properties["key"]]), [
    ["error", graphKey(noMeta)],
    ["error", headKey(noHead)],
  ]);
  assert.equal(await isNameTaken(kv, meta.owner, meta.name), true);
  assert.equal(await isNameTaken(kv, meta.owner, "other"), false);
});

Deno.test("A meta that isn't one is an error, not a missing graph", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = newGraphId();
  for (const value of [null, 1, {}, { owner: "", name: "x", createdAt: 0 }]) {
    await kv.set(graphKey(graph), value);
    await assert.rejects(readMeta(kv, graph), CorruptValueError);
  }
});
