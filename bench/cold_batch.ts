/**
 * The first batch of a process on a graph that lies in a file: entries read, and its rate beside bare
 * reads of the same entries. Each sample has a process and a copy of the file of its own, that has
 * warmed up as the server does at its start.
 */
import { type GraphId, nextT, type T, T_ZERO } from "../protocol/ids.ts";
import { txBatch } from "../sync/batch.ts";
import { readBatches, readRows } from "../tests/support/fixtures.ts";
import { type BatchPlan, inChild } from "./cold_batch_child.ts";
import { type Block, type Edit, editsOf, inserted, moved, picked, titled } from "./edits.ts";
import { addGraph, batchDeps, open } from "./graph.ts";
import { readLargeBlocks, readLargeRows } from "./large.ts";
import { median, type Result, rounded } from "./result.ts";

const ENTRIES_GOAL = 60;
const SAMPLES_A_KIND = 2;
/** Batches on another graph, for a process that has compiled what it needs. */
const BEFORE = 150;
/** Of two forms and four facts each: a flush is near. */
const IN_TAIL = 900;

const KINDS: readonly (readonly [string, Edit])[] = [
  ["a title", titled],
  ["a new block", inserted],
  ["a move", moved],
];

export async function coldBatch(): Promise<readonly Result[]> {
  return [
    await onSmaller("variety-small", "ops-small"),
    await onSmaller("variety-medium", "ops-medium"),
    ...await onLarge(),
  ];
}

async function onSmaller(set: string, ops: string): Promise<Result> {
  await using bench = await open(set, Infinity);
  const first = readBatches(ops).find(({ txs }) => txs.length === 1)?.txs ?? [];
  await bench.send(T_ZERO, first);
  const forms = first.join("").split("~:db/").length;
  return entriesRow(
    `first batch on ${set} in a fresh process`,
    [bench.traffic],
    `1 tx of about ${forms} forms`,
  );
}

async function onLarge(): Promise<readonly Result[]> {
  const [lines, blocks] = [await readLargeRows(), await readLargeBlocks()];
  if (lines === undefined || blocks === undefined) return [];
  const folder = await Deno.makeTempDir();
  try {
    const stored = await fill(`${folder}/kv.sqlite3`, lines, blocks);
    const fresh = await samples(stored);
    const grown = await withTail(stored);
    const what = "first batch on a million datoms in a fresh process";
    const tail = entriesRow(
      `${what}, ${grown.t} batches since the last flush`,
      await entriesReadOf(grown),
    );
    return [
      { ...entriesRow(what, fresh), goal: { atMost: 1 } },
      { ...rateRow(`${what}, bare reads to ours`, fresh, "cold"), goal: { atLeast: 0.5 } },
      rateRow(`${what} that knows the code, bare reads to ours`, fresh, "compiled"),
      tail,
    ];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A file with the large graph and a smaller one, which nobody has open. */
interface Stored {
  readonly kvPath: string;
  readonly graph: GraphId;
  readonly other: GraphId;
  /** Of the large one. */
  readonly t: T;
  readonly blocks: readonly Block[];
}

async function fill(
  kvPath: string,
  lines: readonly string[],
  blocks: readonly Block[],
): Promise<Stored> {
  using kv = await Deno.openKv(kvPath);
  const graph = await addGraph(kv, lines.values().map((line): unknown => JSON.parse(line)));
  const other = await addGraph(kv, readRows("variety-medium"));
  return { kvPath, graph, other, t: T_ZERO, blocks };
}

async function withTail(stored: Stored): Promise<Stored> {
  using kv = await Deno.openKv(stored.kvPath);
  const deps = batchDeps(kv, Infinity);
  let { t } = stored;
  for (let i = 0; i < IN_TAIL; i++) {
    const batch = { t_before: t, txs: [titled(picked(stored.blocks, i), i)] };
    if ((await txBatch(deps, stored.graph, batch))?.type === "tx/batch/ok") t = nextT(t);
  }
  return { ...stored, t };
}

/** Ms of a batch in a fresh process, of one in a process that knows the code, and of the reads. */
interface Sample {
  readonly entriesRead: number;
  readonly cold: number;
  readonly compiled: number;
  readonly reads: number;
}

async function samples(stored: Stored): Promise<readonly Sample[]> {
  const edits = editsOf("ops-medium");
  const before = { graph: stored.other, txs: Array.from({ length: BEFORE }, (_, i) => edits(i)) };
  const found: Sample[] = [];
  for (let i = 0; i < KINDS.length * SAMPLES_A_KIND; i++) {
    found.push(
      await onCopy(stored, async (kvPath) => {
        const { ms: cold, keysRead } = await inChild(planOf(stored, kvPath, i));
        const { ms: reads } = await inChild({ kind: "reads", kvPath, keys: keysRead });
        const other = await onCopy(
          stored,
          (path) => inChild({ ...planOf(stored, path, i), before }),
        );
        return { entriesRead: keysRead.length, cold, reads, compiled: other.ms };
      }),
    );
  }
  return found;
}

/** Entries alone, one sample of each kind. */
async function entriesReadOf(stored: Stored): Promise<readonly Pick<Sample, "entriesRead">[]> {
  const found: Pick<Sample, "entriesRead">[] = [];
  for (const i of KINDS.keys()) {
    const { keysRead } = await onCopy(stored, (path) => inChild(planOf(stored, path, i)));
    found.push({ entriesRead: keysRead.length });
  }
  return found;
}

function planOf({ graph, t, blocks }: Stored, kvPath: string, i: number): BatchPlan {
  const [, edit] = picked(KINDS, i);
  const tx = edit(picked(blocks, IN_TAIL + i), i);
  return { kind: "batch", kvPath, graph, tBefore: t, tx };
}

async function onCopy<Value>(
  { kvPath }: Stored,
  work: (path: string) => Promise<Value>,
): Promise<Value> {
  const path = `${kvPath}.${crypto.randomUUID()}`;
  await Deno.copyFile(kvPath, path);
  try {
    return await work(path);
  } finally {
    await Deno.remove(path);
  }
}

function entriesRow(
  what: string,
  found: readonly Pick<Sample, "entriesRead">[],
  work: string = kindsOf(found),
): Result {
  const entries = found.map(({ entriesRead }) => entriesRead);
  const most = Math.max(...entries);
  return {
    what,
    work,
    ours: `${most} entries read, median ${median(entries)}`,
    floor: `${ENTRIES_GOAL} entries`,
    ratio: rounded(most / ENTRIES_GOAL),
  };
}

function rateRow(what: string, found: readonly Sample[], ours: "cold" | "compiled"): Result {
  const ms = median(found.map((sample) => sample[ours]));
  const reads = median(found.map((sample) => sample.reads));
  return {
    what,
    work: kindsOf(found),
    ours: `${rounded(ms)} ms`,
    floor: `${rounded(reads)} ms: the same entries read`,
    ratio: rounded(median(found.map((sample) => sample.reads / sample[ours]))),
  };
}

function kindsOf(found: readonly unknown[]): string {
  return `${found.length} processes: ${KINDS.map(([name]) => name).join(", ")}`;
}
