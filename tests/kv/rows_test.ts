import assert from "node:assert/strict";
import fc from "fast-check";
import { CorruptValueError } from "../../kv/chunks.ts";
import { commit, writeInCommits } from "../../kv/commit.ts";
import { rowKey } from "../../kv/keys.ts";
import {
  importedRowSets,
  listAddrs,
  listRows,
  readRow,
  readRowsMany,
  type Row,
  rowJson,
  rowSets,
  strayRowParts,
} from "../../kv/rows.ts";
import { newGeneration, newGraphId } from "../../protocol/ids.ts";
import { beforeFirstList, keysOf, withCommit } from "../support/kv.ts";
import { noise } from "../support/noise.ts";
import { address } from "../support/ids.ts";

const graph = newGraphId();
const rows = newGeneration();
const decoder = new TextDecoder();

function row(addr: number, content = `content ${addr}`, addresses: string | null = null): Row {
  return { addr: address(addr), content, addresses };
}

/** Writes as an import into rows that are there does. */
async function write(kv: Deno.Kv, written: readonly Row[]): Promise<void> {
  const sets = written.flatMap((row) => [...rowSets(graph, rows, row)]);
  const deletes = await strayRowParts(kv, sets);
  assert.equal((await writeInCommits(kv, sets)).kind, "committed");
  assert.equal((await commit(kv, { sets: [], deletes })).kind, "committed");
}

async function listed(kv: Deno.Kv, after: number): Promise<readonly unknown[]> {
  const found = await Array.fromAsync(listRows(kv, graph, rows, after));
  return found.map(({ addr, json }) => {
    const text = decoder.decode(json);
    assert.ok(text.startsWith(`{"addr":${addr},"content":`));
    return JSON.parse(text);
  });
}

Deno.test("A row comes back as it was written, addresses as text or null", async () => {
  using kv = await Deno.openKv(":memory:");
  const written = [row(0), row(1, "", "[1,2]"), row(2, 'ü "x"', ""), row(2 ** 53 - 1, "last")];
  await write(kv, written);
  for (const row of written) assert.deepEqual(await readRow(kv, graph, rows, row.addr), row);
  assert.equal(await readRow(kv, graph, rows, address(3)), undefined);
  assert.equal(await readRow(kv, graph, newGeneration(), address(0)), undefined);
});

Deno.test("Rows are listed ascending by addr after the one that was named", async () => {
  using kv = await Deno.openKv(":memory:");
  const addrs = [0, 1, 2, 9, 10, 11, 300, 70_000, 2 ** 32, 2 ** 53 - 1];
  await write(kv, addrs.toReversed().map((addr) => row(addr)));
  for (const after of [-1, 5, ...addrs]) {
    assert.deepEqual(
      await listed(kv, after),
      addrs.filter((addr) => addr > after).map((addr) => row(addr)),
    );
  }
});

Deno.test("Rows above 64 KiB come back by every way of reading", async () => {
  using kv = await Deno.openKv(":memory:");
  const written = [row(0), row(1, noise(200_000)), row(2, "x", noise(90_000)), row(3, noise(5e5))];
  await write(kv, written);
  assert.deepEqual(await listed(kv, -1), written);
  for (const row of written) assert.deepEqual(await readRow(kv, graph, rows, row.addr), row);
  const many = await readRowsMany(kv, graph, rows, written.map(({ addr }) => addr));
  assert.deepEqual([...many.values()], written);
});

Deno.test("A row of more than 500 parts comes back", async () => {
  using kv = await Deno.openKv(":memory:");
  const large = row(7, noise(42_000_000));
  await write(kv, [large, row(8)]);
  assert.ok((await keysOf(kv)).length > 502);
  assert.equal((await readRow(kv, graph, rows, large.addr))?.content, large.content);
  assert.deepEqual((await listed(kv, -1)).length, 2);
});

Deno.test("Many rows are read in the order asked for; those that aren't there are left out", async () => {
  using kv = await Deno.openKv(":memory:");
  await write(kv, Array.from({ length: 500 }, (_, i) => row(2 * i)));
  const asked = Array.from({ length: 400 }, (_, i) => address(399 - i));
  const found = await readRowsMany(kv, graph, rows, [...asked, ...asked]);
  const expected = asked.filter((addr) => addr % 2 === 0);
  assert.deepEqual([...found], expected.map((addr) => [addr, row(addr)]));
  assert.equal((await readRowsMany(kv, graph, rows, [])).size, 0);
});

Deno.test("A row of which not all parts are written is none, and hinders no others", async () => {
  const long = row(2, noise(200_000));
  const sets = rowSets(graph, rows, long);
  assert.ok(sets.length > 2);
  for (let written = 0; written < sets.length; written++) {
    using kv = await Deno.openKv(":memory:");
    await write(kv, [row(1), row(3)]);
    for (const { key, value } of sets.slice(0, written)) await kv.set(key, value);
    assert.deepEqual(await listed(kv, -1), [row(1), row(3)], `${written} of ${sets.length}`);
    assert.deepEqual(await Array.fromAsync(listAddrs(kv, graph, rows)), [1, 3]);
    assert.equal(await readRow(kv, graph, rows, long.addr), undefined);
    assert.equal((await readRowsMany(kv, graph, rows, [long.addr])).size, 0);
  }
});

Deno.test("A row that takes several commits is none where one of them is not made", async () => {
  const long = row(2, noise(2_500_000));
  for (const failing of [0, 1, 2, 3]) {
    using kv = await Deno.openKv(":memory:");
    await write(kv, [row(1)]);
    const losing = withCommit(
      kv,
      (commit, before) => before === failing ? Promise.reject(new Error("lost")) : commit(),
    );
    const written = await writeInCommits(losing, [...rowSets(graph, rows, long)]);
    assert.equal(written.kind, "unknown");
    assert.deepEqual(await listed(kv, -1), [row(1)]);
  }
});

Deno.test("A long row that a short one replaces leaves nothing behind", async () => {
  using kv = await Deno.openKv(":memory:");
  await write(kv, [row(1), row(2, noise(400_000)), row(3, noise(90_000)), row(4)]);
  const replaced = [row(1, "one"), row(2, noise(90_000)), row(3, "three"), row(4)];
  await write(kv, replaced);
  assert.deepEqual(await listed(kv, -1), replaced);
  const counts = new Map<unknown, number>();
  for (const [, , , addr] of await keysOf(kv)) counts.set(addr, (counts.get(addr) ?? 0) + 1);
  assert.deepEqual([...counts], [[1, 1], [2, 2], [3, 1], [4, 1]]);
});

Deno.test("Any rows written over each other are the last ones written", async () => {
  const length = fc.constantFrom(0, 10, 1500, 90_000, 170_000);
  const batches = fc.array(
    fc.uniqueArray(fc.record({ addr: fc.nat({ max: 8 }), length }), {
      selector: ({ addr }) => addr,
      maxLength: 6,
    }),
    { maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(batches, async (batches) => {
      using kv = await Deno.openKv(":memory:");
      const model = new Map<number, Row>();
      for (const batch of batches) {
        const written = batch.map(({ addr, length }) => row(addr, noise(length)));
        await write(kv, written);
        for (const row of written) model.set(row.addr, row);
      }
      const expected = [...model.values()].toSorted((a, b) => a.addr - b.addr);
      assert.deepEqual(await listed(kv, -1), expected);
      const sets = expected.flatMap((row) => [...rowSets(graph, rows, row)]);
      const keys = sets.map(({ key }) => JSON.stringify(key));
      const stored = (await keysOf(kv)).map((key) => JSON.stringify(key));
      assert.deepEqual(stored.toSorted(), keys.toSorted());
    }),
    { numRuns: 20 },
  );
});

Deno.test("Parts left of a longer row are not read", async () => {
  using kv = await Deno.openKv(":memory:");
  await write(kv, [row(1, noise(400_000)), row(2)]);
  const short = row(1, noise(90_000));
  await writeInCommits(kv, rowSets(graph, rows, short));
  assert.deepEqual(await readRow(kv, graph, rows, short.addr), short);
  assert.deepEqual(await listed(kv, -1), [short, row(2)]);
  assert.deepEqual([...(await readRowsMany(kv, graph, rows, [short.addr])).values()], [short]);
});

Deno.test("An imported row is kept as it is up to 4 KiB, any other is deflated, and all are read", async () => {
  using kv = await Deno.openKv(":memory:");
  const short = row(1, "x".repeat(4000));
  const long = row(2, "x".repeat(4100));
  const sizeOf = (sets: ReturnType<typeof rowSets>): number | undefined => sets[0]?.size;
  const imported = [short, long].map((row) => importedRowSets(graph, rows, rowJson(row)));
  assert.ok(imported.every(({ length }) => length === 1));
  assert.deepEqual(imported.map((sets) => (sizeOf(sets) ?? 0) > 4000), [true, false]);
  assert.ok((sizeOf(rowSets(graph, rows, short)) ?? Infinity) < 200);
  await writeInCommits(kv, [...imported.flat(), ...rowSets(graph, rows, row(3, short.content))]);
  assert.deepEqual(await listed(kv, -1), [short, long, row(3, short.content)]);
});

Deno.test("A missing part is an error, not a shorter row", async () => {
  for (const part of [1, 2]) {
    using kv = await Deno.openKv(":memory:");
    await write(kv, [row(1, noise(200_000)), row(2)]);
    await kv.delete(rowKey({ graph, generation: rows, addr: address(1), part }));
    await assert.rejects(readRow(kv, graph, rows, address(1)), CorruptValueError);
    await assert.rejects(readRowsMany(kv, graph, rows, [address(1)]), CorruptValueError);
    await assert.rejects(listed(kv, -1), CorruptValueError);
  }
});

Deno.test("A row that is replaced between the reads of its parts is read again", async () => {
  using kv = await Deno.openKv(":memory:");
  await write(kv, [row(1, noise(200_000))]);
  const young = row(1, noise(200_000));
  // Part 0 has been read when the further parts are listed.
  const racing = beforeFirstList(kv, () => write(kv, [young]));
  assert.deepEqual(await readRow(racing, graph, rows, young.addr), young);
});

Deno.test("What isn't a row is an error", async () => {
  using kv = await Deno.openKv(":memory:");
  const key = rowKey({ graph, generation: rows, addr: address(1), part: 0 });
  for (const value of ["text", new Uint8Array(3), { content: "x" }]) {
    await kv.set(key, value);
    await assert.rejects(readRow(kv, graph, rows, address(1)), CorruptValueError);
    await assert.rejects(listed(kv, -1), CorruptValueError);
  }
});
