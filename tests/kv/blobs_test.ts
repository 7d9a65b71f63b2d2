import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { deleteBlob, readBlob, UploadEndedError, writeBlob } from "../../kv/blobs.ts";
import { createGraph, readGraphGuard } from "../../kv/graphs.ts";
import { BLOB_COMMIT_BYTES } from "../../kv/limits.ts";
import { endUpload, type Loose, markUpload, renewUpload } from "../../kv/loose.ts";
import { newBlobId, newGraphId } from "../../protocol/ids.ts";
import { keysOf, LOST, withCommit } from "../support/kv.ts";
import { ALICE } from "../support/process.ts";

async function newUpload(kv: Deno.Kv): Promise<Loose> {
  const graph = newGraphId();
  await createGraph(kv, graph, { owner: ALICE, name: "notes", createdAt: 0 });
  const guard = await readGraphGuard(kv, graph);
  assert.ok(guard !== undefined);
  const outcome = await markUpload(kv, { graph, blob: newBlobId() }, "kv", 0, guard);
  assert.ok(outcome.kind === "committed");
  return outcome.loose;
}

Deno.test("No part is stored behind the back of whoever ended the upload", async () => {
  using kv = await Deno.openKv(":memory:");
  const upload = await newUpload(kv);
  const chunk = new Uint8Array(BLOB_COMMIT_BYTES);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield chunk;
    yield chunk;
    await endUpload(kv, upload, 1);
    await deleteBlob(kv, upload.place);
    yield chunk;
    yield chunk;
  }
  await assert.rejects(writeBlob(kv, upload.place, chunks()), UploadEndedError);
  assert.deepEqual((await keysOf(kv)).filter(([name]) => name === "blob"), []);
});

Deno.test("An upload that is ended while a commit is on its way stores nothing more", async () => {
  using kv = await Deno.openKv(":memory:");
  const upload = await newUpload(kv);
  const racing = withCommit(kv, async (commit) => {
    assert.equal((await endUpload(kv, upload, 1)).kind, "committed");
    return await commit();
  });
  const chunks = ReadableStream.from([new Uint8Array(10)]);
  await assert.rejects(writeBlob(racing, upload.place, chunks), UploadEndedError);
  assert.deepEqual((await keysOf(kv)).filter(([name]) => name === "blob"), []);
});

Deno.test("An upload that is renewed while a commit is on its way, or whose answers are lost, is stored whole", async () => {
  using kv = await Deno.openKv(":memory:");
  for (const [what, lose] of Object.entries({ ...LOST, "a renewal": undefined })) {
    let upload = await newUpload(kv);
    const racing = withCommit(kv, async (commit, before) => {
      if (before % 2 === 1) return await commit();
      if (lose !== undefined) return await lose(commit);
      const renewed = await renewUpload(kv, upload, before);
      assert.ok(renewed.kind === "committed");
      upload = renewed.loose;
      return await commit();
    });
    const sizes = [BLOB_COMMIT_BYTES, BLOB_COMMIT_BYTES, 10];
    const chunks = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
    await writeBlob(racing, upload.place, ReadableStream.from(chunks));
    const length = sizes.reduce((sum, size) => sum + size);
    const found = await Array.fromAsync(readBlob(kv, upload.place, 0, length));
    assert.deepEqual(Buffer.concat(found), Buffer.concat(chunks), what);
  }
});

Deno.test("Where chunks can't be had that is told once the commit that is under way is made", async () => {
  using kv = await Deno.openKv(":memory:");
  const slow = withCommit(kv, async (commit) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return await commit();
  });
  const upload = await newUpload(kv);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(10);
    await Promise.resolve();
    throw new Error("the client is gone");
  }
  await assert.rejects(writeBlob(slow, upload.place, chunks()), /the client is gone/);
  assert.equal((await keysOf(kv)).filter(([name]) => name === "blob").length, 1);
});

Deno.test("No part is stored of a blob that isn't marked as being uploaded", async () => {
  using kv = await Deno.openKv(":memory:");
  const place = { graph: newGraphId(), blob: newBlobId() };
  const chunks = ReadableStream.from([new Uint8Array(10)]);
  await assert.rejects(writeBlob(kv, place, chunks), UploadEndedError);
  assert.deepEqual(await keysOf(kv), []);
});
