import assert from "node:assert/strict";
import fc from "fast-check";
import { writeInCommits } from "../../kv/commit.ts";
import { entryKey } from "../../kv/keys.ts";
import {
  CorruptLogError,
  entryChange,
  type NewEntry,
  readEntries,
  readTail,
} from "../../kv/txlog.ts";
import { newGeneration, newGraphId, T_ZERO } from "../../protocol/ids.ts";
import { noise } from "../support/noise.ts";
import { version } from "../support/ids.ts";

const graph = newGraphId();
const log = newGeneration();
const decoder = new TextDecoder();

function entry(t: number, text = `["~#list",[${t}]]`): NewEntry {
  return { t: version(t), tx: text, tail: `["datoms of", ${t}, "${text}"]`, writer: `writer ${t}` };
}

async function write(kv: Deno.Kv, entries: readonly NewEntry[], generation = log): Promise<void> {
  const sets = entries.flatMap((entry) => [...entryChange(graph, generation, entry)]);
  assert.equal((await writeInCommits(kv, sets)).kind, "committed");
}

async function textsOf(kv: Deno.Kv, since: number, upTo: number): Promise<readonly string[]> {
  const entries = readEntries(kv, graph, log, version(since), version(upTo));
  return (await Array.fromAsync(entries)).map(({ json }) => decoder.decode(json));
}

Deno.test("An entry is the JSON text of t and tx, its tail writer and transit", async () => {
  using kv = await Deno.openKv(":memory:");
  await write(kv, [entry(1, 'quotes " and ünïcödé')]);
  assert.deepEqual(await textsOf(kv, 0, 1), ['{"t":1,"tx":"quotes \\" and ünïcödé"}']);
  assert.deepEqual(await Array.fromAsync(readTail(kv, graph, log, T_ZERO, version(1))), [
    { t: 1, writer: "writer 1", transit: '["datoms of", 1, "quotes " and ünïcödé"]' },
  ]);
});

Deno.test("Entries above 64 KiB come back whole, between small ones", async () => {
  using kv = await Deno.openKv(":memory:");
  const entries = [entry(1), entry(2, noise(300_000)), entry(3, "ü".repeat(400_000)), entry(4)];
  await write(kv, entries);
  assert.deepEqual(
    await textsOf(kv, 0, 4),
    entries.map(({ t, tx }) => JSON.stringify({ t, tx })),
  );
  assert.deepEqual(
    await Array.fromAsync(readTail(kv, graph, log, T_ZERO, version(4))),
    entries.map(({ t, writer, tail }) => ({ t, writer, transit: tail })),
  );
});

Deno.test("A range has the entries after since up to its end, of its own generation", async () => {
  using kv = await Deno.openKv(":memory:");
  const entries = Array.from({ length: 1200 }, (_, i) => entry(i + 1));
  await write(kv, entries);
  await write(kv, [entry(1, "other"), entry(1201, "other")], newGeneration());
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 1200 }), fc.nat({ max: 1200 }), async (since, upTo) => {
      const expected = entries.slice(since, Math.max(since, upTo));
      assert.deepEqual(
        await textsOf(kv, since, upTo),
        expected.map(({ t, tx }) => JSON.stringify({ t, tx })),
      );
    }),
    { numRuns: 20, examples: [[0, 1200], [1200, 1200], [1200, 0], [0, 0]] },
  );
});

Deno.test("Entries after the range don't come, though they are there", async () => {
  using kv = await Deno.openKv(":memory:");
  await write(kv, [entry(1), entry(2), entry(3)]);
  assert.deepEqual(await textsOf(kv, 1, 2), ['{"t":2,"tx":"[\\"~#list\\",[2]]"}']);
});

Deno.test("A gap is an error wherever it is, after the entries before it", async () => {
  for (const gap of [1, 3, 5]) {
    using kv = await Deno.openKv(":memory:");
    await write(kv, [1, 2, 3, 4, 5].filter((t) => t !== gap).map((t) => entry(t)));
    const lists = {
      log: readEntries(kv, graph, log, T_ZERO, version(5)),
      tail: readTail(kv, graph, log, T_ZERO, version(5)),
    };
    for (const list of Object.values(lists)) {
      const seen: number[] = [];
      await assert.rejects(async () => {
        for await (const { t } of list) seen.push(t);
      }, CorruptLogError);
      assert.deepEqual(seen, [1, 2, 3, 4, 5].slice(0, gap - 1));
    }
  }
});

Deno.test("A missing part is an error, whichever it is", async () => {
  for (const part of [0, 1, 2]) {
    using kv = await Deno.openKv(":memory:");
    await write(kv, [entry(1, noise(200_000)), entry(2)]);
    await kv.delete(entryKey("log", { graph, generation: log, t: version(1), part }));
    await assert.rejects(textsOf(kv, 0, 2), CorruptLogError);
  }
});

Deno.test("What isn't an entry is an error", async () => {
  const wrong = {
    "no bytes": "text",
    "no part": new Uint8Array([9]),
  };
  for (const [what, value] of Object.entries(wrong)) {
    using kv = await Deno.openKv(":memory:");
    await write(kv, [entry(1)]);
    await kv.set(entryKey("log", { graph, generation: log, t: version(1), part: 0 }), value);
    await assert.rejects(textsOf(kv, 0, 1), CorruptLogError, what);
  }
  using kv = await Deno.openKv(":memory:");
  await write(kv, [entry(1)]);
  // The entry where the tail should be: bytes as they were written, but no pair of texts.
  const place = { graph, generation: log, t: version(1), part: 0 };
  await kv.set(entryKey("tail", place), (await kv.get(entryKey("log", place))).value);
  const tail = readTail(kv, graph, log, T_ZERO, version(1));
  await assert.rejects(Array.fromAsync(tail), CorruptLogError);
});
