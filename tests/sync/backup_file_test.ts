import assert from "node:assert/strict";
import { dirname } from "node:path";
import { newGraphId } from "../../protocol/ids.ts";
import { backupFile } from "../../sync/backup_file.ts";

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test("A backup's file has no name by the time it is read, and all its bytes come", async () => {
  let folder = "";
  const bytes = crypto.getRandomValues(new Uint8Array(50_000));
  const graph = newGraphId();
  const backup = await backupFile(async (_, path) => {
    folder = dirname(path);
    await Deno.writeFile(path, bytes);
    return true;
  }, graph);
  assert.ok(backup !== undefined);
  assert.ok(!await isThere(folder));
  assert.deepEqual([backup.size, backup.filename], [50_000, `${graph}.sqlite`]);
  assert.deepEqual(await new Response(backup.stream).bytes(), bytes);
});

Deno.test("A backup that nobody reads to its end leaves no open file", async () => {
  const backup = await backupFile(async (_, path) => {
    await Deno.writeFile(path, new Uint8Array(10));
    return true;
  }, newGraphId());
  await backup?.stream.cancel();
});

Deno.test("A backup that fails, or of no graph, leaves nothing", async () => {
  const folders: string[] = [];
  const nothing = await backupFile((_, path) => {
    folders.push(dirname(path));
    return Promise.resolve(false);
  }, newGraphId());
  assert.equal(nothing, undefined);
  const failing = backupFile((_, path) => {
    folders.push(dirname(path));
    return Promise.reject(new Error("disk full"));
  }, newGraphId());
  await assert.rejects(failing, /disk full/);
  for (const folder of folders) assert.ok(!await isThere(folder));
});
