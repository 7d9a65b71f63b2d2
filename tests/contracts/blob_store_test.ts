/** What every blob store does: in KV in memory, in KV on disk, in an S3-compatible server. */
import assert from "node:assert/strict";
import { kvBlobStore } from "../../assets/kv_store.ts";
import { OBJECT_BYTES, s3BlobStore } from "../../assets/s3_store.ts";
import { type BlobStore, NoBlobStoreError } from "../../assets/store.ts";
import { BLOB_COMMIT_BYTES, BLOB_PART_BYTES } from "../../kv/limits.ts";
import { markUpload } from "../../kv/loose.ts";
import { createGraph, readGraphGuard } from "../../kv/graphs.ts";
import type { BlobPlace } from "../../protocol/asset.ts";
import { newBlobId, newGraphId } from "../../protocol/ids.ts";
import { bytesOf, sha256Of, together } from "../support/bytes.ts";
import { within } from "../support/deadline.ts";
import { keysOf } from "../support/kv.ts";
import { ALICE } from "../support/process.ts";
import { TestS3 } from "../support/s3.ts";

/** A store under test. */
interface Subject {
  readonly store: BlobStore;
  /** A place where something may be written. */
  readonly place: () => Promise<BlobPlace>;
  /** How much the store keeps, of all blobs: keys, or objects. */
  readonly kept: () => Promise<number>;
  /** Sizes at which it cuts blobs in pieces, ascending. */
  readonly edges: readonly [number, number];
}

async function kvSubject(kv: Deno.Kv): Promise<Subject> {
  const graph = newGraphId();
  await createGraph(kv, graph, { owner: ALICE, name: "notes", createdAt: 0 });
  const guard = await readGraphGuard(kv, graph);
  assert.ok(guard !== undefined);
  return {
    store: kvBlobStore(kv),
    place: async () => {
      const place = { graph, blob: newBlobId() };
      const outcome = await markUpload(kv, place, "kv", 0, guard);
      assert.equal(outcome.kind, "committed");
      return place;
    },
    kept: async () => (await keysOf(kv)).filter(([name]) => name === "blob").length,
    edges: [BLOB_PART_BYTES, BLOB_COMMIT_BYTES],
  };
}

const SUBJECTS: Readonly<
  Record<string, (work: (subject: Subject) => Promise<void>) => Promise<void>>
> = {
  "KV in memory": async (work) => {
    using kv = await Deno.openKv(":memory:");
    await work(await kvSubject(kv));
  },
  "KV on disk": async (work) => {
    const folder = await Deno.makeTempDir();
    try {
      using kv = await Deno.openKv(`${folder}/kv.sqlite3`);
      await work(await kvSubject(kv));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
  "S3": async (work) => {
    await using s3 = await TestS3.start();
    await work({
      store: s3BlobStore(s3.settings),
      place: () => Promise.resolve({ graph: newGraphId(), blob: newBlobId() }),
      kept: async () => (await s3.objects()).length,
      edges: [65_536, OBJECT_BYTES],
    });
  },
};

/** In pieces that fit no chunk, all of them in the same memory. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const memory = new Uint8Array(size);
  for (let start = 0; start < bytes.length; start += size) {
    const piece = bytes.subarray(start, start + size);
    memory.set(piece);
    yield memory.subarray(0, piece.length);
  }
}

for (const [name, withSubject] of Object.entries(SUBJECTS)) {
  Deno.test(`${name}: a blob of any size comes back as it was written`, () =>
    withSubject(async ({ store, place, edges }) => {
      const sizes = [0, 1, 1000, ...edges.flatMap((edge) => [edge - 1, edge, edge + 1])];
      for (const [seed, size] of sizes.entries()) {
        const bytes = bytesOf(size, seed);
        const at = await place();
        await store.write(at, pieces(bytes, 50_000));
        const read = await together(store.read(at, 0, size));
        assert.equal(sha256Of(read), sha256Of(bytes), `${size} bytes`);
      }
    }));

  Deno.test(`${name}: any range of a blob can be read`, () =>
    withSubject(async ({ store, place, edges: [small, large] }) => {
      const size = large + small + 7;
      const bytes = bytesOf(size);
      const at = await place();
      await store.write(at, pieces(bytes, 77_777));
      const ranges: [number, number][] = [
        [0, 1],
        [5, 5],
        [size - 1, size],
        [small - 1, small + 1],
        [small, 2 * small],
        [large - 3, large + 3],
        [large, size],
        [12_345, size - 12_345],
      ];
      for (const [start, end] of ranges) {
        const read = await together(store.read(at, start, end));
        assert.equal(sha256Of(read), sha256Of(bytes.subarray(start, end)), `${start} to ${end}`);
      }
    }));

  Deno.test(`${name}: what is missing is an error, never fewer bytes`, () =>
    withSubject(async ({ store, place }) => {
      const at = await place();
      await assert.rejects(together(store.read(at, 0, 1)));
      await store.write(at, pieces(bytesOf(100), 100));
      await assert.rejects(together(store.read(at, 0, 101)));
      await store.delete(at);
      await assert.rejects(together(store.read(at, 0, 100)));
    }));

  Deno.test(`${name}: a deleted blob leaves nothing, others stay, and it can be deleted again`, () =>
    withSubject(async ({ store, place, kept, edges }) => {
      const [kept1, gone] = [await place(), await place()];
      await store.write(kept1, pieces(bytesOf(100_000), 50_000));
      const before = await kept();
      await store.write(gone, pieces(bytesOf(edges[1] + 1), 65_536));
      assert.ok(await kept() > before);
      await store.delete(gone);
      await store.delete(gone);
      assert.equal(await kept(), before);
      const read = await together(store.read(kept1, 0, 100_000));
      assert.equal(sha256Of(read), sha256Of(bytesOf(100_000)));
    }));

  Deno.test(`${name}: a write that its source cuts off fails with that, and delete clears it`, () =>
    withSubject(async ({ store, place, kept, edges }) => {
      const at = await place();
      const cause = new Error("cut off");
      async function* source(): AsyncGenerator<Uint8Array> {
        yield* pieces(bytesOf(edges[1] + 100), 65_536);
        throw cause;
      }
      await assert.rejects(store.write(at, source()), cause);
      assert.ok(await kept() > 0);
      await store.delete(at);
      assert.equal(await kept(), 0);
    }));
}

Deno.test("An S3 store that isn't there, has no such bucket, or lets us not in is no store", async () => {
  const place = { graph: newGraphId(), blob: newBlobId() };
  await using s3 = await TestS3.start();
  const wrong = [
    { ...s3.settings, bucket: "none" },
    { ...s3.settings, secretAccessKey: "wrong" },
    { ...s3.settings, endpoint: "http://127.0.0.1:9" },
  ];
  for (const settings of wrong) {
    const store = s3BlobStore(settings);
    await assert.rejects(store.write(place, pieces(bytesOf(10), 10)), NoBlobStoreError);
    await assert.rejects(together(store.read(place, 0, 1)), NoBlobStoreError);
    await assert.rejects(store.delete(place), NoBlobStoreError);
  }
  assert.deepEqual(await s3.objects(), []);
});

/** What a store may leave for ever: its answer, or the rest of a refusal. */
const HALTS: Readonly<Record<string, (held: Promise<void>) => Response | Promise<Response>>> = {
  "never answers": async (held) => {
    await held;
    return new Response();
  },
  "never ends a refusal": (held) => {
    async function* text(): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode("<Error>");
      await held;
    }
    return new Response(ReadableStream.from(text()), { status: 404 });
  },
};

for (const [name, halt] of Object.entries(HALTS)) {
  Deno.test(`An S3 store that ${name} is no store either`, async () => {
    const place = { graph: newGraphId(), blob: newBlobId() };
    const held = Promise.withResolvers<void>();
    await using silent = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      () => halt(held.promise),
    );
    const settings = {
      endpoint: `http://127.0.0.1:${silent.addr.port}`,
      bucket: "notes",
      region: "auto",
      accessKeyId: "key",
      secretAccessKey: "secret",
    };
    const store = s3BlobStore(settings, 50);
    const asked = [
      (): Promise<unknown> => store.write(place, pieces(bytesOf(10), 10)),
      (): Promise<unknown> => together(store.read(place, 0, 1)),
      (): Promise<unknown> => store.delete(place),
    ];
    try {
      for (const ask of asked) await assert.rejects(within(ask(), "its end"), NoBlobStoreError);
    } finally {
      held.resolve();
    }
  });
}
