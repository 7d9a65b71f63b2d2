import assert from "node:assert/strict";
import { join } from "node:path";
import { lookForFile } from "../../kv/lost_file.ts";
import { Folder } from "../support/folder.ts";
import { startServer } from "../support/server.ts";

Deno.test("A file is missed when it is moved, deleted or replaced, and no more when it is put back", async () => {
  await using folder = await Folder.make();
  const [path, aside] = [join(folder.path, "a"), join(folder.path, "b")];
  await Deno.writeTextFile(path, "x");
  const look = await lookForFile(path);
  await look();
  await Deno.writeTextFile(path, "written to");
  await look();
  await Deno.rename(path, aside);
  await assert.rejects(look, /KV_PATH is .*\/a, but that file was moved or deleted/);
  await Deno.copyFile(aside, path);
  await assert.rejects(look, /but that file was replaced/);
  await Deno.rename(aside, path);
  await look();
});

Deno.test("A server whose file is gone is not ready", async () => {
  await using folder = await Folder.make();
  const kvPath = join(folder.path, "kv.sqlite3");
  await using server = await startServer({ kvPath });
  const ready = async (): Promise<number> => (await server.call("/ready", { as: null })).status;
  assert.equal(await ready(), 200);
  await Deno.rename(kvPath, `${kvPath}.moved`);
  assert.equal(await ready(), 503);
  await Deno.rename(`${kvPath}.moved`, kvPath);
  assert.equal(await ready(), 200);
});
