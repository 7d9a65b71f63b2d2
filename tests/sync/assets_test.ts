import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import { objectSet } from "../../kv/change.ts";
import { commitOrThrow } from "../../kv/commit.ts";
import { goneKey } from "../../kv/keys.ts";
import { droppedSet, listLoose } from "../../kv/loose.ts";
import {
  type AssetName,
  type GraphId,
  newBlobId,
  newGraphId,
  parseAssetName,
} from "../../protocol/ids.ts";
import { openAsset, putAsset, removeAsset } from "../../sync/assets.ts";
import { sweepAssets } from "../../sync/asset_sweep.ts";
import { openGraphs } from "../../sync/graphs.ts";
import { sweepPeople } from "../../sync/sweep.ts";
import type { BlobUploadDeps } from "../../sync/blob_upload.ts";
import { loggerFor } from "../../telemetry/log.ts";
import { bytesOf, sha256Of, together } from "../support/bytes.ts";
import { dump, keysOf, withCommit } from "../support/kv.ts";
import { ALICE } from "../support/process.ts";
import { created } from "../support/created.ts";

const GRACE_MS = 1000;
const NAME = nameOf("6f1e2d3c-0000-4000-8000-000000000001.png");

function nameOf(text: string): AssetName {
  const name = parseAssetName(text);
  assert.ok(name !== undefined);
  return name;
}

/** What one process has, at a time that stands still. */
function depsAt(kv: Deno.Kv, ms = 10_000): BlobUploadDeps {
  const stores = openBlobStores(kv);
  return { kv, stores, graceMs: GRACE_MS, log: loggerFor("test"), now: () => ms };
}

async function newGraph(kv: Deno.Kv): Promise<GraphId> {
  return await created(openGraphs(depsAt(kv)), ALICE, { graph_name: "notes" });
}

function bodyOf(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
  return new Blob([bytes]).stream();
}

function put(
  deps: BlobUploadDeps,
  graph: GraphId,
  bytes: Uint8Array<ArrayBuffer>,
  headers: { readonly sha256?: string } = {},
): ReturnType<typeof putAsset> {
  return putAsset(deps, graph, NAME, { headers, body: bodyOf(bytes), maxBytes: 3_000_000 });
}

/** SHA-256 of the file's bytes. */
async function read(kv: Deno.Kv, graph: GraphId): Promise<string | undefined> {
  const open = await openAsset(depsAt(kv), graph, NAME);
  if (open === undefined) return undefined;
  const sha256 = sha256Of(await together(open.read(0, open.asset.size)));
  assert.equal(sha256, open.asset.sha256);
  return sha256;
}

/** Sweeps twice, each time as if the grace were over. */
async function sweepAll(kv: Deno.Kv): Promise<void> {
  await sweepAssets(depsAt(kv, 20_000), GRACE_MS);
  await sweepAssets(depsAt(kv, 30_000), GRACE_MS);
}

async function kinds(kv: Deno.Kv): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [name] of await keysOf(kv)) counts[String(name)] = (counts[String(name)] ?? 0) + 1;
  return counts;
}

const [small, old, next] = [bytesOf(1000, 1), bytesOf(900_000, 2), bytesOf(2_000_000, 3)];
const ONLY_GRAPH = { graph: 1, head: 1, owned: 1 };

/** The same store, killed before its n-th commit: that and all later ones fail. */
function killedAt(kv: Deno.Kv, n: number): Deno.Kv {
  return withCommit(kv, (commit, before) => {
    return before < n ? commit() : Promise.reject(new Error("the process was killed"));
  });
}

/** What is cut at each commit in turn, until it isn't; answers how many commits it takes. */
async function cutEverywhere(
  work: (kv: Deno.Kv, graph: GraphId) => Promise<unknown>,
  before: (kv: Deno.Kv, graph: GraphId) => Promise<unknown>,
  check: (kv: Deno.Kv, graph: GraphId, told: "done" | "cut") => Promise<void>,
): Promise<number> {
  for (let n = 0;; n++) {
    using kv = await Deno.openKv(":memory:");
    const graph = await newGraph(kv);
    await before(kv, graph);
    const told = await work(killedAt(kv, n), graph).then(
      () => "done" as const,
      () => "cut" as const,
    );
    await check(kv, graph, told);
    if (told === "done") return n;
  }
}

Deno.test("A file that is put can be read, with what the client said of it", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const headers = { contentType: "image/png", checksum: "abc", length: old.length };
  const sent = { headers, body: bodyOf(old), maxBytes: old.length };
  assert.equal(await putAsset(depsAt(kv), graph, NAME, sent), "stored");
  const open = await openAsset(depsAt(kv), graph, NAME);
  assert.ok(open !== undefined);
  const { blob: _, ...facts } = open.asset;
  assert.deepEqual(facts, {
    store: "kv",
    size: old.length,
    sha256: sha256Of(old),
    contentType: "image/png",
    checksum: "abc",
    createdAt: 10_000,
  });
  assert.equal(await read(kv, graph), sha256Of(old));
  assert.deepEqual(await Array.fromAsync(listLoose(kv)), []);
});

Deno.test("What is refused leaves the old file and nothing of the new one", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  await put(depsAt(kv), graph, old);
  const before = await dump(kv);
  const cutOff = new ReadableStream<Uint8Array>({
    type: "bytes",
    pull(controller): void {
      controller.enqueue(bytesOf(1_000_000));
      controller.error(new Error("the connection broke"));
    },
  });
  const deps = depsAt(kv);
  const maxBytes = 3_000_000;
  assert.equal(await put(deps, graph, next, { sha256: sha256Of(old) }), "checksum mismatch");
  assert.equal(await put(deps, graph, bytesOf(maxBytes + 1)), "asset too large");
  const cases = [
    ["asset too large", { headers: { length: maxBytes + 1 }, body: null, maxBytes }],
    ["invalid body", { headers: { length: 1001 }, body: bodyOf(small), maxBytes }],
    ["invalid body", { headers: {}, body: cutOff, maxBytes }],
  ] as const;
  for (const [refusal, sent] of cases) {
    assert.equal(await putAsset(deps, graph, NAME, sent), refusal);
  }
  assert.deepEqual(await dump(kv), before);
});

Deno.test("An upload that is killed at any commit leaves no file, and no key after the sweep", async () => {
  const commits = await cutEverywhere(
    (kv, graph) => put(depsAt(kv), graph, next),
    () => Promise.resolve(),
    async (kv, graph, told) => {
      assert.equal(await read(kv, graph), told === "done" ? sha256Of(next) : undefined);
      if (told === "done") return;
      await sweepAll(kv);
      assert.deepEqual(await kinds(kv), ONLY_GRAPH);
    },
  );
  // The marker, three commits of parts, the name.
  assert.equal(commits, 5);
});

Deno.test("A replacement that is killed at any commit leaves the old file or the new one, whole", async () => {
  await cutEverywhere(
    (kv, graph) => put(depsAt(kv), graph, next),
    (kv, graph) => put(depsAt(kv), graph, old),
    async (kv, graph, told) => {
      const file = told === "done" ? next : old;
      assert.equal(await read(kv, graph), sha256Of(file));
      await sweepAll(kv);
      assert.equal(await read(kv, graph), sha256Of(file));
      const parts = Math.ceil(file.length / 65_536);
      assert.deepEqual(await kinds(kv), { ...ONLY_GRAPH, asset: 1, blob: parts });
    },
  );
});

Deno.test("A removal that is killed at any commit leaves the whole file or none", async () => {
  const commits = await cutEverywhere(
    (kv, graph) => removeAsset(depsAt(kv), graph, NAME),
    (kv, graph) => put(depsAt(kv), graph, old),
    async (kv, graph, told) => {
      assert.equal(await read(kv, graph), told === "done" ? undefined : sha256Of(old));
      await sweepAll(kv);
      assert.equal(await read(kv, graph), told === "done" ? undefined : sha256Of(old));
      if (told === "done") assert.deepEqual(await kinds(kv), ONLY_GRAPH);
    },
  );
  assert.equal(commits, 1);
});

Deno.test("A sweep that is killed at any commit is finished by the next one", async () => {
  await cutEverywhere(
    (kv) => sweepAssets(depsAt(kv, 20_000), GRACE_MS),
    async (kv, graph) => {
      await put(depsAt(killedAt(kv, 4)), graph, next).catch(() => {});
      await put(depsAt(kv), graph, old);
      await put(depsAt(kv), graph, small);
    },
    async (kv, graph) => {
      await sweepAll(kv);
      assert.equal(await read(kv, graph), sha256Of(small));
      assert.deepEqual(await kinds(kv), { ...ONLY_GRAPH, asset: 1, blob: 1 });
    },
  );
});

Deno.test("A commit whose outcome is unknown is found out, whether it was made or not", async () => {
  for (const made of [true, false]) {
    for (let n = 0; n < 5; n++) {
      using kv = await Deno.openKv(":memory:");
      const graph = await newGraph(kv);
      await put(depsAt(kv), graph, old);
      const breaking = withCommit(kv, async (commit, before) => {
        if (before !== n) return await commit();
        if (made) await commit();
        throw new Error("the connection broke");
      });
      assert.equal(await put(depsAt(breaking), graph, next), "stored");
      assert.equal(await read(kv, graph), sha256Of(next));
      await sweepAll(kv);
      const parts = Math.ceil(next.length / 65_536);
      assert.deepEqual(await kinds(kv), { ...ONLY_GRAPH, asset: 1, blob: parts });
    }
  }
});

Deno.test("Who began to read before a replacement or a removal finishes with the old bytes", async () => {
  for (const replaced of [true, false]) {
    using kv = await Deno.openKv(":memory:");
    const graph = await newGraph(kv);
    await put(depsAt(kv), graph, next);
    const open = await openAsset(depsAt(kv), graph, NAME);
    assert.ok(open !== undefined);
    const reading = open.read(0, next.length);
    const first = await reading.next();
    assert.ok(!first.done);
    if (replaced) await put(depsAt(kv), graph, small);
    else await removeAsset(depsAt(kv), graph, NAME);
    await sweepAssets(depsAt(kv, 10_000 + GRACE_MS), GRACE_MS);
    const bytes = new Blob([first.value.slice(), await together(reading)]);
    assert.equal(sha256Of(await bytes.bytes()), sha256Of(next));
    assert.equal(await read(kv, graph), replaced ? sha256Of(small) : undefined);
  }
});

/** A body of which the next piece comes when it is asked for and `go` has been called once more. */
function slowBody(
  bytes: Uint8Array<ArrayBuffer>,
  before: (piece: number) => Promise<unknown>,
): ReadableStream<Uint8Array> {
  let start = 0;
  return new ReadableStream({
    type: "bytes",
    async pull(controller): Promise<void> {
      await before(start / 100_000);
      controller.enqueue(bytes.slice(start, start += 100_000));
      if (start >= bytes.length) {
        controller.close();
        controller.byobRequest?.respond(0);
      }
    },
  });
}

Deno.test("An upload in which bytes come is alive for as long as they come", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  let ms = 10_000;
  const deps = { ...depsAt(kv), now: () => ms };
  const body = slowBody(next, async () => {
    ms += GRACE_MS / 2;
    await sweepAssets({ ...deps, now: () => ms }, GRACE_MS);
  });
  const sent = { headers: {}, body, maxBytes: next.length };
  assert.equal(await putAsset(deps, graph, NAME, sent), "stored");
  assert.equal(await read(kv, graph), sha256Of(next));
});

Deno.test("An upload that was silent for longer than the grace is ended, and can't go on", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  await put(depsAt(kv), graph, old);
  const body = slowBody(next, async (piece) => {
    if (piece === 15) await sweepAssets(depsAt(kv, 20_000), GRACE_MS);
  });
  const sent = { headers: {}, body, maxBytes: next.length };
  await assert.rejects(putAsset(depsAt(kv), graph, NAME, sent));
  assert.equal(await read(kv, graph), sha256Of(old));
  const parts = Math.ceil(old.length / 65_536);
  assert.deepEqual(await kinds(kv), { ...ONLY_GRAPH, asset: 1, blob: parts });
});

Deno.test("A graph that is removed while a file comes in has no file, and nothing of it is left", async () => {
  for (const at of [0, 9, 19]) {
    using kv = await Deno.openKv(":memory:");
    const graph = await newGraph(kv);
    await put(depsAt(kv), graph, old);
    const body = slowBody(next, async (piece) => {
      if (piece !== at) return;
      await openGraphs(depsAt(kv)).remove(graph);
      // The marker of the upload tells its writer that it was ended.
      const { loose, ...rest } = await kinds(kv);
      assert.deepEqual([loose, rest], [1, {}]);
    });
    const sent = { headers: {}, body, maxBytes: next.length };
    assert.equal(await putAsset(depsAt(kv), graph, NAME, sent), undefined);
    assert.deepEqual(await kinds(kv), {});
  }
});

Deno.test("A graph's files are gone when its removal answers; a cut-off removal is swept", async () => {
  for (let n = 0;; n++) {
    using kv = await Deno.openKv(":memory:");
    const [kept, graph] = [await newGraph(kv), await newGraph(kv)];
    await put(depsAt(kv), kept, small);
    const before = await kinds(kv);
    await put(depsAt(kv), graph, old);
    await put(depsAt(kv), graph, next);
    const cut = killedAt(kv, n);
    const told = await openGraphs(depsAt(cut)).remove(graph).then(() => "done", () => "cut");
    // Before the commit that removes the graph nothing is removed.
    if (n === 0) assert.equal(await read(kv, graph), sha256Of(next));
    else {
      if (told === "cut") {
        await sweepPeople(kv, depsAt(kv).now);
        await sweepAssets(depsAt(kv), GRACE_MS);
      }
      const { garbage: _, ...left } = await kinds(kv);
      assert.deepEqual(left, { ...before, graph: 1, head: 1, owned: 1 }, `cut at ${n}`);
    }
    assert.equal(await read(kv, kept), sha256Of(small));
    if (told === "done") break;
  }
});

Deno.test("A removed graph with a file in a store that isn't set keeps no other's files", async () => {
  using kv = await Deno.openKv(":memory:");
  const [first, second] = [newGraphId(), newGraphId()].toSorted();
  assert.ok(first !== undefined && second !== undefined);
  await commitOrThrow(kv, {
    sets: [
      droppedSet({ graph: first, blob: newBlobId() }, "s3", 0),
      objectSet(goneKey(first), { since: 0 }),
      objectSet(goneKey(second), { since: 0 }),
    ],
  });
  await sweepAssets({ kv, stores: openBlobStores(kv), now: () => 1000 }, 0);
  assert.deepEqual((await keysOf(kv)).map(([kind, graph]) => [kind, graph]), [
    ["gone", first],
    ["loose", first],
  ]);
});

Deno.test("There is no file in a graph that there is none of", async () => {
  using kv = await Deno.openKv(":memory:");
  assert.equal(await put(depsAt(kv), newGraphId(), small), undefined);
  assert.deepEqual(await keysOf(kv), []);
});
