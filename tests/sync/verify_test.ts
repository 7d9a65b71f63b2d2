import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeNode, encodeNode } from "../../datascript/node.ts";
import { encodeTextParts } from "../../kv/chunks.ts";
import { flushSets, readRoot } from "../../kv/flushes.ts";
import { commitHead, type Head } from "../../kv/head.ts";
import { entryKey, headKey, ownedKey, rowKey } from "../../kv/keys.ts";
import { listRows, parseRowJson, type Row, rowSets } from "../../kv/rows.ts";
import { type Checksum, EMPTY_CHECKSUM, newGraphId, parseChecksum } from "../../protocol/ids.ts";
import { sweepFlushes } from "../../sync/sweep.ts";
import { verifyGraph } from "../../sync/verify.ts";
import { readCases, readRows } from "../support/fixtures.ts";
import { blockTx, txOf } from "../support/forms.ts";
import { beforeFirstList } from "../support/kv.ts";
import { TestGraph } from "../support/graph.ts";
import { ALICE, headOf, Process, version } from "../support/process.ts";
import { address } from "../support/ids.ts";

const KEYS = 4;

for (const set of ["small-a", "medium-a", "variety-small", "variety-medium"]) {
  Deno.test(`The recorded graph ${set} is found sound, its stray rows are counted`, async () => {
    using kv = await Deno.openKv(":memory:");
    const server = new Process(kv);
    const graph = await server.graphWith(readRows(set));
    const verified = await verifyGraph(kv, graph);
    assert.deepEqual(verified?.problems, []);
    assert.ok(verified.strayRows > 0);
    assert.equal(verified.strayRows + verified.rows + 2, readRows(set).length);
  });
}

Deno.test("Recorded batches on a recorded graph are found sound, before and after a flush", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(readRows("small-a"));
  const cases = readCases("small-a").filter(({ response }) => response.type === "tx/batch/ok");
  for (const [t, { request }] of cases.entries()) await server.writeBatch(graph, t, request.txs);
  const before = await verifyGraph(kv, graph);
  assert.deepEqual(before?.problems, []);
  assert.equal(before.logEntries, cases.length);
  assert.equal(await new TestGraph(kv, graph, undefined, 32).flush(), "done");
  assert.deepEqual((await verifyGraph(kv, graph))?.problems, []);
});

Deno.test("An entry of the log may be longer than the form that it is of", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.createGraph();
  await server.write(graph, 0, blockTx(crypto.randomUUID(), "x"));
  // By its eid the block is called shorter than by its uuid.
  const text = "x".repeat(16 * 1024 * 1024 - 70);
  await server.write(graph, 1, txOf(["~:db/add", 1, "~:user.property/x", text]));
  assert.deepEqual((await verifyGraph(kv, graph))?.problems, []);
});

Deno.test("verify sums a graph anew whose head has a checksum, and tells if it is another", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).graphWith(readRows("small-a"));
  async function problemsWith(checksum: Checksum): Promise<readonly string[]> {
    const head = await headOf(kv, graph);
    await commitHead(kv, head, { ...head, checksum }, { sets: [], deletes: [] });
    return (await verifyGraph(kv, graph))?.problems ?? [];
  }
  const [problem = "", ...more] = await problemsWith(EMPTY_CHECKSUM);
  assert.deepEqual(more, []);
  const [, sum] = problem.match(/has the checksum 0{16}, where the database has ([0-9a-f]{16})/) ??
    [];
  const right = parseChecksum(sum);
  assert.ok(right !== undefined && right !== EMPTY_CHECKSUM, problem);
  assert.deepEqual(await problemsWith(right), []);
});

/** Blocks with what makes datoms of all three indexes. */
function blocks(seed: number): string {
  return txOf(...Array.from({ length: 20 }, (_, i) => [
    "^ ",
    "~:block/uuid",
    uuid(i),
    "~:block/title",
    `${seed} ${i}`,
  ]));
}

function uuid(i: number): string {
  return `~u00000000-0000-4000-8000-${String(i).padStart(12, "0")}`;
}

const form = fc.tuple(fc.nat(19), fc.nat(19), fc.nat(6)).map(([one, other, kind]): unknown => {
  const e = ["~:block/uuid", uuid(one)];
  switch (kind) {
    case 0:
      return ["~:db/retractEntity", e];
    case 1:
      return ["~:db/retract", e, "~:block/title"];
    case 2:
      return ["^ ", ...e, "~:block/tags", ["^ ", "~:block/uuid", uuid(other)]];
    // Attributes come, get an index, and lose it.
    case 3:
      return ["^ ", "~:db/ident", "~:user.property/p", "~:db/index", other % 2 === 0];
    case 4:
      return ["^ ", ...e, "~:user.property/p", other];
    default:
      return ["^ ", ...e, "~:block/title", `${kind} of ${other}`];
  }
});

Deno.test("After any batches, flushes and sweeps a graph is found sound", async () => {
  using kv = await Deno.openKv(":memory:");
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.array(form, { minLength: 1, maxLength: 10 }) },
    { weight: 1, arbitrary: fc.constantFrom("flush", "sweep") },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 16 }), async (steps) => {
      let clock = 0;
      const now = (): number => clock;
      const graph = await TestGraph.create(kv, now);
      let t = 0;
      for (const one of steps) {
        clock += 10;
        if (one === "flush") await graph.flush();
        else if (one === "sweep") await sweepFlushes(kv, { now, graceMs: 25 });
        else if (typeof one !== "string") {
          const answer = await graph.batch(t, [txOf(...one)]);
          if (typeof answer === "number") t = answer;
        }
      }
      const verified = await verifyGraph(kv, graph.graph, KEYS);
      assert.deepEqual(verified, { ...verified, t, logEntries: t, strayRows: 0, problems: [] });
    }),
    { numRuns: 60 },
  );
});

Deno.test("A flush and a sweep that take rows away while they are read are no damage", async () => {
  using store = await Deno.openKv(":memory:");
  let clock = 0;
  const now = (): number => clock;
  const graph = await TestGraph.create(store, now);
  for (let t = 0; t < 3; t++) await graph.batch(t, [blocks(t)]);
  await graph.flush();
  let reads = 0;
  const kv = new Proxy(store, {
    get(target, name): unknown {
      const value: unknown = Reflect.get(target, name);
      if (name !== "getMany") return typeof value === "function" ? value.bind(target) : value;
      return async (...args: Parameters<Deno.Kv["getMany"]>): Promise<unknown> => {
        if (reads++ === 1) {
          await graph.batch(3, [blocks(7)]);
          await graph.flush();
          clock += 10;
          await sweepFlushes(store, { now, graceMs: 1 });
        }
        return await target.getMany(...args);
      };
    },
  });
  const verified = await verifyGraph(kv, graph.graph, KEYS);
  assert.deepEqual(verified?.problems, []);
  assert.equal(verified.t, 4);
});

Deno.test("A first batch that comes while a graph is looked through is no damage", async () => {
  using store = await Deno.openKv(":memory:");
  const server = new Process(store);
  const graph = await server.createGraph();
  const kv = beforeFirstList(
    store,
    () => server.write(graph, 0, blockTx(crypto.randomUUID(), "first")),
  );
  const verified = await verifyGraph(kv, graph);
  assert.deepEqual([verified?.problems, verified?.t], [[], 1]);
});

Deno.test("A graph that nothing was put into is sound, and none is none", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await new Process(kv).createGraph();
  assert.deepEqual((await verifyGraph(kv, graph))?.problems, []);
  assert.equal(await verifyGraph(kv, newGraphId()), undefined);
});

/** A flushed graph with a tail, to be damaged. */
interface Damaged {
  readonly kv: Deno.Kv;
  readonly head: Head;
  /** Of the trees, ascending; the last ones are the trees' root nodes, or near them. */
  readonly leaves: readonly Row[];
  readonly branches: readonly Row[];
}

async function put({ kv, head }: Damaged, row: Row): Promise<void> {
  for (const { key, value } of rowSets(head.graph, head.rows, row)) await kv.set(key, value);
}

/** The first leaf with other keys. */
async function rekey(
  damaged: Damaged,
  change: (keys: Parameters<typeof encodeNode>[0]) => Parameters<typeof encodeNode>[0],
): Promise<void> {
  const [leaf] = damaged.leaves;
  assert.ok(leaf !== undefined);
  await put(damaged, { ...leaf, ...encodeNode(change(decodeNode(leaf).keys)) });
}

async function reroot(
  { kv, head }: Damaged,
  change: (content: string) => string,
): Promise<void> {
  const root = await readRoot(kv, head.graph, head.rows, head.t);
  assert.ok(root !== undefined);
  const changed = change(root.content);
  assert.notEqual(changed, root.content);
  const flush = { t: root.t, root: changed, since: Date.now(), dropped: [] };
  for (const { key, value } of flushSets(head.graph, head.rows, flush)) await kv.set(key, value);
}

function placeOf({ head }: Damaged, t: number): Parameters<typeof entryKey>[1] {
  return { graph: head.graph, generation: head.log, t: version(t), part: 0 };
}

const DAMAGES: readonly (readonly [
  title: string,
  damage: (damaged: Damaged) => Promise<unknown>,
  said: RegExp,
])[] = [
  [
    "a row that is missing",
    ({ kv, head, leaves: [leaf] }) =>
      kv.delete(
        rowKey({
          graph: head.graph,
          generation: head.rows,
          addr: leaf?.addr ?? address(0),
          part: 0,
        }),
      ),
    /^row \d+ is missing$/,
  ],
  ["a row whose bytes differ", ({ kv, head, leaves: [leaf] }) => {
    const place = {
      graph: head.graph,
      generation: head.rows,
      addr: leaf?.addr ?? address(0),
      part: 0,
    };
    return kv.set(rowKey(place), new Uint8Array(40));
  }, /^row \d+ can't be read/],
  [
    "a row that is no node",
    (damaged) =>
      put(damaged, { addr: damaged.leaves[0]?.addr ?? address(0), content: "{}", addresses: null }),
    /^row \d+ can't be read/,
  ],
  [
    "two datoms swapped",
    (damaged) => rekey(damaged, ([x, y, ...rest]) => x && y ? [y, x, ...rest] : []),
    /^row \d+ has a key 1 that does not follow the one before it$/,
  ],
  [
    "a datom changed in one index",
    (damaged) => rekey(damaged, ([x, ...rest]) => x ? [{ ...x, tx: x.tx - 1 }, ...rest] : []),
    /^(AEVT|EAVT|AVET) lacks /,
  ],
  [
    "a datom more in one index",
    (damaged) => rekey(damaged, ([x, ...rest]) => x ? [{ ...x, tx: x.tx - 1 }, x, ...rest] : []),
    /^row 0 counts \d+ datoms in \w+, which holds \d+$/,
  ],
  [
    "a retraction in a tree",
    (damaged) => rekey(damaged, ([x, ...rest]) => x ? [{ ...x, added: false }, ...rest] : []),
    /holds a retraction/,
  ],
  ["a branch that has a row twice", (damaged) => {
    const [branch] = damaged.branches;
    const [first, , ...rest] = JSON.parse(branch?.addresses ?? "[]");
    assert.ok(branch !== undefined);
    return put(damaged, { ...branch, addresses: JSON.stringify([first, first, ...rest]) });
  }, /^row \d+ is referred to more than once$/],
  [
    "a row that nothing refers to",
    (damaged) =>
      put(damaged, {
        ...encodeNode([]),
        addr: address((damaged.branches.at(-1)?.addr ?? 0) + 500),
      }),
    /^row \d+ is of no use to any tree$/,
  ],
  [
    "a count that is wrong",
    (damaged) =>
      reroot(
        damaged,
        (content) => content.replace(/("~:count",)(\d+)/, (_, key, n) => `${key}${+n + 1}`),
      ),
    /^row 0 counts \d+ datoms in EAVT, which holds \d+$/,
  ],
  [
    "a max-eid that is too small",
    (damaged) => reroot(damaged, (content) => content.replace(/("~:max-eid",)\d+/, "$13")),
    /^row 0 has a max-eid of 3, and the greatest eid is \d+$/,
  ],
  [
    "a max-tx that is too small",
    (damaged) =>
      reroot(damaged, (content) => content.replace(/("~:max-tx",)\d+/, `$1${0x20000000}`)),
    /^row 0 has a max-tx of/,
  ],
  [
    "a root that is missing",
    ({ kv, head }) => kv.delete(["root", head.graph, head.rows, head.flushed, 0]),
    /^row 0 can't be read/,
  ],
  [
    "a log entry that is missing",
    (damaged) => damaged.kv.delete(entryKey("log", placeOf(damaged, 2))),
    /^entry 2 of the log can't be read/,
  ],
  [
    "a log entry that is no bytes",
    (damaged) => damaged.kv.set(entryKey("log", placeOf(damaged, 2)), "entry"),
    /^entry 2 of the log can't be read/,
  ],
  [
    "a log entry that is no Transit",
    (damaged) =>
      damaged.kv.set(entryKey("log", placeOf(damaged, 2)), encodeTextParts('{"t":2,"tx":"["}')[0]),
    /^entry 2 of the log can't be read/,
  ],
  [
    "a log entry beyond the head",
    (damaged) =>
      damaged.kv.set(entryKey("log", placeOf(damaged, 9)), encodeTextParts('{"t":9,"tx":"[]"}')[0]),
    /^entry 9 of the log is beyond the head/,
  ],
  ["a log entry of another transaction", (damaged) =>
    damaged.kv.set(
      entryKey("log", placeOf(damaged, damaged.head.t)),
      encodeTextParts(JSON.stringify({ t: damaged.head.t, tx: '["~#list",[]]' }))[0],
    ), /^entry \d+ of the tail does not say what the log says$/],
  [
    "a tail entry that is missing",
    (damaged) => damaged.kv.delete(entryKey("tail", placeOf(damaged, damaged.head.t))),
    /^the tail can't be read/,
  ],
  [
    "a head that is none",
    ({ kv, head }) => kv.set(headKey(head.graph), 7),
    /^the head can't be read/,
  ],
  [
    "a head that is missing",
    ({ kv, head }) => kv.delete(headKey(head.graph)),
    /^the head is missing/,
  ],
  [
    "an owner who lacks it",
    ({ kv, head }) => kv.delete(ownedKey(ALICE, head.graph)),
    /^the owner's list lacks the graph$/,
  ],
];

for (const [title, damage, said] of DAMAGES) {
  Deno.test(`verify tells of ${title}`, async () => {
    using kv = await Deno.openKv(":memory:");
    const graph = await TestGraph.create(kv);
    for (let t = 0; t < 4; t++) await graph.batch(t, [blocks(t)]);
    await graph.flush();
    await graph.batch(4, [blocks(9)]);
    const head = await headOf(kv, graph.graph);
    assert.deepEqual((await verifyGraph(kv, graph.graph, KEYS))?.problems, []);
    const rows = (await Array.fromAsync(
      listRows(kv, graph.graph, head.rows, 1),
      (row) => parseRowJson(graph.graph, head.rows, row),
      // What was founded is of no use after the flush.
    )).filter((row) => row.addresses !== null || decodeNode(row).keys.length > 0);
    await damage({
      kv,
      head,
      leaves: rows.filter((row) => row.addresses === null),
      branches: rows.filter((row) => row.addresses !== null),
    });
    const problems = (await verifyGraph(kv, graph.graph, KEYS))?.problems ?? [];
    assert.ok(problems.some((problem) => said.test(problem)), problems.join("\n"));
  });
}

Deno.test("verify tells of the entry of the log that is broken, and not of those around it", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await TestGraph.create(kv);
  for (let t = 0; t < 5; t++) await graph.batch(t, [blocks(t)]);
  const { log } = await headOf(kv, graph.graph);
  const key = entryKey("log", { graph: graph.graph, generation: log, t: version(3), part: 0 });
  await kv.set(key, "no bytes");
  const problems = (await verifyGraph(kv, graph.graph, KEYS))?.problems ?? [];
  assert.deepEqual(problems.map((problem) => problem.split(" can't")[0]), ["entry 3 of the log"]);
});
