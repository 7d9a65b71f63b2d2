import assert from "node:assert/strict";
import { deleteBlob, UploadEndedError, writeBlob } from "../../kv/blobs.ts";
import { createGraph, readGraphGuard } from "../../kv/graphs.ts";
import { BLOB_COMMIT_BYTES } from "../../kv/limits.ts";
import { endUpload, type Loose, markUpload } from "../../kv/loose.ts";
import { newBlobId, newGraphId } from "../../protocol/ids.ts";
import { keysOf } from "../support/kv.ts";
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

Deno.test("No part is stored of a blob that isn't marked as being uploaded", async () => {
  using kv = await Deno.openKv(":memory:");
  const place = { graph: newGraphId(), blob: newBlobId() };
  const chunks = ReadableStream.from([new Uint8Array(10)]);
  await assert.rejects(writeBlob(kv, place, chunks), UploadEndedError);
  assert.deepEqual(await keysOf(kv), []);
});
