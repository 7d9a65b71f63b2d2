import assert from "node:assert/strict";
import { bytesSet } from "../../kv/change.ts";
import { commit, writeInCommits } from "../../kv/commit.ts";
import { sweepGeneration } from "../../kv/garbage.ts";
import type { Head } from "../../kv/head.ts";
import { rowKey } from "../../kv/keys.ts";
import {
  forgetUpload,
  holdUpload,
  isHeld,
  openUpload,
  readUploadRows,
  type Upload,
} from "../../kv/snapshot_uploads.ts";
import { newGeneration, ROOT_ADDR } from "../../protocol/ids.ts";
import { keysOf, withCommit } from "../support/kv.ts";
import { ALICE, BOB } from "../support/process.ts";
import { newHead } from "../support/head.ts";

async function opened(kv: Deno.Kv, head: Head, by = ALICE): Promise<Upload> {
  const outcome = await openUpload(kv, head, by, 1000);
  assert.ok(outcome.kind === "held");
  return outcome.upload;
}

async function held(kv: Deno.Kv, { graph }: Head): Promise<Upload> {
  const outcome = await holdUpload(kv, graph, 2000);
  assert.ok(outcome.kind === "held");
  return outcome.upload;
}

/** Whether a row can be written by this hold. */
async function canWrite(kv: Deno.Kv, upload: Upload): Promise<boolean> {
  const { graph, rows, guards } = upload;
  const key = rowKey({ graph, generation: rows, addr: ROOT_ADDR, part: 0 });
  const outcome = await writeInCommits(kv, [bytesSet(key, new Uint8Array(9))], guards);
  assert.equal(outcome.kind === "committed", await isHeld(kv, upload));
  return outcome.kind === "committed";
}

Deno.test("An upload that was begun is whose it is, and is held", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  assert.deepEqual(await holdUpload(kv, head.graph, 1000), { kind: "none" });
  assert.equal(await readUploadRows(kv, head.graph), undefined);
  const upload = await opened(kv, head, BOB);
  assert.equal(upload.by, BOB);
  assert.equal(await readUploadRows(kv, head.graph), upload.rows);
  assert.ok(await canWrite(kv, upload));
});

Deno.test("Who takes hold breaks the hold of whoever had it", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const first = await opened(kv, head);
  const second = await held(kv, head);
  assert.deepEqual([second.rows, second.by], [first.rows, first.by]);
  assert.deepEqual([await canWrite(kv, first), await canWrite(kv, second)], [false, true]);
});

Deno.test("An upload that is begun breaks the one before it, of which only the marker stays", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const first = await opened(kv, head);
  const second = await opened(kv, head, BOB);
  assert.notEqual(second.rows, first.rows);
  assert.deepEqual([await canWrite(kv, first), await canWrite(kv, second)], [false, true]);
  assert.equal((await held(kv, head)).rows, second.rows);
  await forgetUpload(kv, head.graph, first.rows);
  assert.equal((await held(kv, head)).rows, second.rows);
});

Deno.test("No upload is begun on a head that has moved", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const { value } = await kv.get(["head", head.graph]);
  await kv.set(["head", head.graph], value);
  assert.deepEqual(await openUpload(kv, head, ALICE, 1000), { kind: "conflict" });
  assert.deepEqual(await holdUpload(kv, head.graph, 1000), { kind: "none" });
});

Deno.test("A sweep that takes hold of an upload's rows ends it", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const keys = await keysOf(kv);
  const upload = await opened(kv, head);
  await canWrite(kv, upload);
  await sweepGeneration(kv, head.graph, upload.rows);
  assert.ok(!await canWrite(kv, upload));
  assert.deepEqual(await holdUpload(kv, head.graph, 2000), { kind: "none" });
  await forgetUpload(kv, head.graph, newGeneration());
  assert.equal((await keysOf(kv)).length, keys.length + 1);
  await forgetUpload(kv, head.graph, upload.rows);
  assert.deepEqual(await keysOf(kv), keys);
});

Deno.test("Nobody takes hold of an upload whose sweep has begun", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const { rows } = await opened(kv, head);
  let seen: unknown;
  const racing = withCommit(kv, async (commit, before) => {
    if (before === 1) seen = await holdUpload(kv, head.graph, 2000);
    return await commit();
  });
  await sweepGeneration(racing, head.graph, rows);
  assert.deepEqual(seen, { kind: "none" });
});

Deno.test("Of two who take hold at once one has it", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  await opened(kv, head);
  const racing = withCommit(kv, async (commit) => {
    await held(kv, head);
    return await commit();
  });
  assert.deepEqual(await holdUpload(racing, head.graph, 2000), { kind: "conflict" });
});

Deno.test("An upload that is begun anew while the one before it is forgotten stays", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const first = await opened(kv, head);
  let second: Upload | undefined;
  const racing = withCommit(kv, async (commit) => {
    second = await opened(kv, head, BOB);
    return await commit();
  });
  await forgetUpload(racing, head.graph, first.rows);
  assert.equal((await held(kv, head)).rows, second?.rows);
});

Deno.test("The switch deletes all that an upload has beside its rows", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const keys = await keysOf(kv);
  const { keys: deletes, guards } = await opened(kv, head);
  await commit(kv, { sets: [], deletes, checks: guards });
  assert.deepEqual(await keysOf(kv), keys);
});
