/** A disk that has changed what a database held: what is left of it goes on. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { listGraphIds, listOwned } from "../../kv/graphs.ts";
import { graphKey, headKey } from "../../kv/keys.ts";
import { openKv, OpenKvError } from "../../kv/open.ts";
import type { GraphId } from "../../protocol/ids.ts";
import { beat } from "../../sync/heartbeat.ts";
import { Hub } from "../../sync/hub.ts";
import { backup } from "../../tasks/backup.ts";
import { verify } from "../../tasks/verify.ts";
import { readRows } from "../support/fixtures.ts";
import { Folder } from "../support/folder.ts";
import { ALICE, Process } from "../support/process.ts";
import { Recorder } from "../support/recorder.ts";

/** A file with graphs that have something, in a folder that goes at the end. */
class Disk implements AsyncDisposable {
  private constructor(readonly folder: Folder, readonly graphs: readonly GraphId[]) {}

  static async with(count: number): Promise<Disk> {
    const graphs: GraphId[] = [];
    const disk = new Disk(await Folder.make(), graphs);
    using kv = await Deno.openKv(disk.path);
    for (let i = 0; i < count; i++) {
      graphs.push(await new Process(kv).graphWith(readRows("small-a")));
    }
    return disk;
  }

  get path(): string {
    return join(this.folder.path, "kv.sqlite3");
  }

  get backups(): string {
    return join(this.folder.path, "backups");
  }

  /** What is under a key becomes as many zeros, or whatever else. */
  rot([name, graph]: Deno.KvKey, how = "v = zeroblob(length(v))"): void {
    using file = new DatabaseSync(this.path);
    const key = new TextEncoder().encode(`\x02${String(name)}\0\x02${String(graph)}\0`);
    const { changes } = file.prepare(`UPDATE kv SET ${how} WHERE k = ?`).run(key);
    assert.equal(changes, 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.folder[Symbol.asyncDispose]();
  }
}

for (
  const [what, keyOf, how, word] of [
    ["head", headKey, undefined, "deserialize"],
    ["name", graphKey, undefined, "deserialize"],
    ["head's encoding", headKey, "v_encoding = -108", "encoding"],
    ["name's encoding", graphKey, "v_encoding = 108", "encoding"],
    ["head's type", headKey, "v = 1", "column type"],
  ] as const
) {
  Deno.test(`A graph whose ${what} a disk has changed takes no other with it`, async () => {
    await using disk = await Disk.with(3);
    const [lost, ...others] = disk.graphs;
    assert.ok(lost !== undefined);
    disk.rot(keyOf(lost), how);
    using kv = await openKv(disk.path);

    assert.deepEqual(
      (await listOwned(kv, ALICE)).map(({ graph }) => graph).toSorted(),
      others.toSorted(),
    );
    assert.deepEqual((await listGraphIds(kv)).toSorted(), disk.graphs.toSorted());

    const { lines, failed } = await backup(kv, ["--all", disk.backups]);
    assert.equal(failed, 1, lines.join("\n"));
    for (const graph of others) {
      assert.ok((await Deno.stat(join(disk.backups, `${graph}.sqlite`))).isFile);
    }

    const told: string[] = [];
    assert.equal(await verify(kv, ["--all"], (line) => told.push(line)), false);
    for (const graph of others) assert.match(told.join("\n"), new RegExp(`^${graph}: sound`, "m"));
    assert.match(told.join("\n"), new RegExp(`^${lost}: .*${word}`, "m"));
  });
}

Deno.test("A graph that can't be read keeps no other from its signs of life", async () => {
  await using disk = await Disk.with(2);
  const [lost, other] = disk.graphs;
  assert.ok(lost !== undefined && other !== undefined);
  disk.rot(headKey(lost));
  disk.rot(graphKey(lost));
  using kv = await openKv(disk.path);
  const hub = new Hub();
  const [atLost, atOther] = [new Recorder(), new Recorder()];
  hub.add(lost, atLost);
  hub.add(other, atOther);
  await beat(kv, hub);
  assert.equal(atOther.heard.length, 1);
  assert.deepEqual(atLost.heard, []);
});

Deno.test("One that can't be written keeps no other from its backup", async () => {
  await using disk = await Disk.with(2);
  const [first, second] = disk.graphs;
  assert.ok(first !== undefined && second !== undefined);
  using kv = await openKv(disk.path);
  // What stands in its way: a folder of the file's name.
  await Deno.mkdir(join(disk.backups, `${first}.sqlite`, "x"), { recursive: true });
  const { lines, failed } = await backup(kv, ["--all", disk.backups]);
  assert.equal(failed, 1, lines.join("\n"));
  assert.ok((await Deno.stat(join(disk.backups, `${second}.sqlite`))).isFile);
});

Deno.test("A file of which the disk has lost the first pages is no database, and says what to do", async () => {
  await using disk = await Disk.with(1);
  const bytes = await Deno.readFile(disk.path);
  // The header stays, so that it still looks like SQLite's.
  bytes.fill(0xab, 100, Math.min(bytes.length, 64 * 1024));
  await Deno.writeFile(disk.path, bytes);
  await assert.rejects(openKv(disk.path), (thrown) => {
    assert.ok(thrown instanceof OpenKvError);
    assert.match(thrown.message, /damaged: put a copy of it from before/);
    return true;
  });
});
