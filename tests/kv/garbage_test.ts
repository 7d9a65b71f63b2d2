import assert from "node:assert/strict";
import { acceptedSet } from "../../kv/accepted.ts";
import { commitOrThrow, writeInCommits } from "../../kv/commit.ts";
import {
  generationsOf,
  listGarbage,
  markGarbage,
  openGeneration,
  sweepGeneration,
} from "../../kv/garbage.ts";
import { createGraph, readMeta, removeGraph } from "../../kv/graphs.ts";
import { commitHead, type Head, readHead } from "../../kv/head.ts";
import { garbageKey, goneKey, orphansKey } from "../../kv/keys.ts";
import { rowSets } from "../../kv/rows.ts";
import { entryChange } from "../../kv/txlog.ts";
import {
  type Generation,
  newGeneration,
  newGraphId,
  nextT,
  parseSentId,
  parseUserId,
  ROOT_ADDR,
  T_ZERO,
} from "../../protocol/ids.ts";
import { dump, keysOf } from "../support/kv.ts";

async function newHead(kv: Deno.Kv): Promise<Head> {
  const graph = newGraphId();
  const owner = parseUserId("alice");
  assert.ok(owner !== undefined);
  await createGraph(kv, graph, { owner, name: "notes", createdAt: 0 });
  const head = await readHead(kv, graph);
  assert.ok(head !== undefined);
  return head;
}

const row = { addr: ROOT_ADDR, content: "x", addresses: null };

/** A log entry, its tail, the id of who made it, and a row under this generation. */
async function fill(kv: Deno.Kv, head: Head, generation: Generation): Promise<void> {
  const entry = { t: nextT(T_ZERO), tx: "[]", tail: "[]", writer: "w" };
  const id = parseSentId(`${crypto.randomUUID()}/0123456789abcdef`);
  assert.ok(id !== undefined);
  await writeInCommits(kv, [
    ...entryChange(head.graph, generation, entry),
    acceptedSet(head.graph, generation, entry.t, [id]),
    ...rowSets(head.graph, generation, row),
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
