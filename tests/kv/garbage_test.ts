import assert from "node:assert/strict";
import { acceptedSet } from "../../kv/accepted.ts";
import { objectSet } from "../../kv/change.ts";
import { commitOrThrow, writeInCommits } from "../../kv/commit.ts";
import { flushSets } from "../../kv/flushes.ts";
import {
  generationsOf,
  listGarbage,
  markGarbage,
  openGeneration,
  sweepGeneration,
} from "../../kv/garbage.ts";
import { readMeta, removeGraph } from "../../kv/graphs.ts";
import { commitHead, type Head } from "../../kv/head.ts";
import { addressesKey, claimKey, garbageKey, goneKey, orphansKey } from "../../kv/keys.ts";
import { rowSets } from "../../kv/rows.ts";
import { entryChange, spilledEntryChange } from "../../kv/txlog.ts";
import {
  type Generation,
  newGeneration,
  nextT,
  parseSentId,
  ROOT_ADDR,
  T_ZERO,
  TAIL_ADDR,
} from "../../protocol/ids.ts";
import { dump, keysOf, withCommit } from "../support/kv.ts";
import { newHead } from "../support/head.ts";

const row = { addr: ROOT_ADDR, content: "x", addresses: null };

/** All that there may be under this generation: of log and tail, of rows, and of their flushes. */
async function fill(kv: Deno.Kv, head: Head, generation: Generation): Promise<void> {
  const entry = { t: nextT(T_ZERO), tx: "[]", tail: "[]", writer: "w" };
  const id = parseSentId(`${crypto.randomUUID()}/0123456789abcdef`);
  assert.ok(id !== undefined);
  const { graph } = head;
  const flush = { t: entry.t, root: "x", since: 0, dropped: [ROOT_ADDR] };
  await writeInCommits(kv, [
    ...entryChange(graph, generation, entry),
    ...spilledEntryChange(graph, generation, entry).parts,
    acceptedSet(graph, generation, entry.t, [id]),
    ...rowSets(graph, generation, row),
    ...flushSets(graph, generation, flush),
    objectSet(addressesKey(graph, generation), { last: 1 }),
    objectSet(claimKey(graph, generation, TAIL_ADDR), { count: 1, since: 0 }),
  ]);
}

Deno.test("A sweep deletes all that lies under a generation and its marker, and nothing else", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  await fill(kv, head, head.log);
  const before = await dump(kv);
  const generation = newGeneration();
  await fill(kv, head, generation);
  await commitOrThrow(kv, { sets: markGarbage(head.graph, [generation], 7), deletes: [] });
  assert.deepEqual(await Array.fromAsync(listGarbage(kv)), [
    { graph: head.graph, generation, since: 7 },
  ]);

  assert.equal(await sweepGeneration(kv, head.graph, generation), true);
  assert.deepEqual(await dump(kv), before);
  assert.equal(await sweepGeneration(kv, head.graph, generation), true);
  assert.deepEqual(await dump(kv), before);
});

Deno.test("A sweep of a generation that the head refers to deletes the marker alone", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  await fill(kv, head, head.log);
  const before = await dump(kv);
  await commitOrThrow(kv, { sets: markGarbage(head.graph, [head.log], 7), deletes: [] });
  assert.equal(await sweepGeneration(kv, head.graph, head.log), false);
  assert.deepEqual(await dump(kv), before);
});

Deno.test("What was opened can be written and made the head's", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const rows = newGeneration();
  const opened = await openGeneration(kv, head, rows, 0);
  assert.ok(opened.kind === "opened");
  const { guard } = opened;
  const staged = await writeInCommits(kv, rowSets(head.graph, rows, row), [guard]);
  assert.equal(staged.kind, "committed");
  const outcome = await commitHead(kv, head, { ...head, rows }, {
    sets: [],
    deletes: [garbageKey(head.graph, rows)],
    checks: [guard],
  });
  assert.equal(outcome.kind, "committed");
  assert.deepEqual(await Array.fromAsync(listGarbage(kv)), []);
});

Deno.test("Nothing is written under a generation that was swept, nor is it made the head's", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const rows = newGeneration();
  const opened = await openGeneration(kv, head, rows, 0);
  assert.ok(opened.kind === "opened");
  const { guard } = opened;
  await sweepGeneration(kv, head.graph, rows);
  const before = await dump(kv);
  const staged = await writeInCommits(kv, rowSets(head.graph, rows, row), [guard]);
  assert.deepEqual(staged, { kind: "conflict" });
  const outcome = await commitHead(kv, head, { ...head, rows }, {
    sets: [],
    deletes: [garbageKey(head.graph, rows)],
    checks: [guard],
  });
  assert.deepEqual(outcome, { kind: "conflict" });
  assert.deepEqual(await dump(kv), before);
});

Deno.test("From a sweep's first commit on its generation can't be made the head's, nor be written under", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const keys = await keysOf(kv);
  const rows = newGeneration();
  const opened = await openGeneration(kv, head, rows, 0);
  assert.ok(opened.kind === "opened");
  const { guard } = opened;
  await fill(kv, head, rows);
  const kinds = new Set<string>();
  const racing = withCommit(kv, async (commit, before) => {
    if (before > 0) {
      kinds.add((await writeInCommits(kv, rowSets(head.graph, rows, row), [guard])).kind);
      const next = { sets: [], deletes: [guard.key], checks: [guard] };
      kinds.add((await commitHead(kv, head, { ...head, rows }, next)).kind);
    }
    return await commit();
  });
  assert.equal(await sweepGeneration(racing, head.graph, rows), true);
  assert.deepEqual([...kinds], ["conflict"]);
  assert.deepEqual(await keysOf(kv), keys);
});

Deno.test("No generation is opened for a head that has moved or is gone", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const moved = await commitHead(kv, head, head, { sets: [], deletes: [] });
  assert.ok(moved.kind === "committed");
  assert.deepEqual(await openGeneration(kv, head, newGeneration(), 0), { kind: "conflict" });
  const meta = await readMeta(kv, head.graph);
  assert.ok(meta !== undefined);
  await removeGraph(kv, meta, moved.head, 0);
  const opened = await openGeneration(kv, moved.head, newGeneration(), 0);
  assert.deepEqual(opened, { kind: "conflict" });
  const markers = [
    ...generationsOf(head).map((generation) => garbageKey(head.graph, generation)),
    goneKey(head.graph),
    orphansKey(head.graph),
  ];
  assert.deepEqual(new Set(await keysOf(kv)), new Set(markers));
});
