import assert from "node:assert/strict";
import type { Datom } from "../../datascript/datom.ts";
import { Db } from "../../datascript/db.ts";
import { TransactError } from "../../datascript/errors.ts";
import { transact } from "../../datascript/transact.ts";
import { encode } from "../../datascript/transit.ts";
import { type PreparedEntry, prepareEntry } from "../../logseq/entries.ts";
import { BESIDE_TODAYS, preparation } from "../../logseq/prepare.ts";
import { block, GRAPH_SCHEMA, ref, uuid } from "../support/blocks.ts";
import { LazyNodes, stored, storedDb } from "../support/memory_db.ts";
import { fact, forms, show, type Written } from "../support/written.ts";

/** A page with blocks 2 (over 3, which is over 4) and 5, and what the device has for itself. */
const FACTS: readonly Datom[] = [
  ...block(1, { "block/title": "Page", "block/name": "page" }),
  ...block(2, { "block/title": "two", "block/parent": 1, "block/page": 1, "block/order": "a0" }),
  ...block(3, { "block/title": "three", "block/parent": 2, "block/page": 1, "block/order": "a0" }),
  ...block(4, { "block/title": "four", "block/parent": 3, "block/page": 1, "block/order": "a0" }),
  ...block(5, { "block/title": "five", "block/parent": 1, "block/page": 1, "block/order": "a1" }),
  ...block(10, { "db/ident": ":logseq.kv/graph-uuid" }),
  fact(10, "kv/value", "mine"),
  fact(11, "db/ident", ":logseq.kv/db-type"),
];

function prepare(op: string | undefined, ...written: readonly Written[]): PreparedEntry {
  return prepareEntry(storedDb(GRAPH_SCHEMA, FACTS), forms(...written), op);
}

/** What an accepted entry changed, written as datoms. */
function changes(op: string | undefined, ...written: readonly Written[]): readonly string[] {
  const prepared = prepare(op, ...written);
  assert.ok(prepared.kind !== "failed", JSON.stringify(prepared));
  return prepared.kind === "same" ? [] : prepared.report.datoms.map(show);
}

/** The eids of the entities that are gone afterwards. */
function gone(op: string | undefined, ...written: readonly Written[]): readonly number[] {
  const prepared = prepare(op, ...written);
  assert.ok(prepared.kind === "changed", JSON.stringify(prepared));
  const { after } = prepared.report;
  return [1, 2, 3, 4, 5].filter((e) => after.ofEntity(e).length === 0);
}

const title = (e: Written, text: string): Written => [":db/add", e, ":block/title", text];
const retract = (e: number): Written => [":db/retractEntity", ref(e)];
const NEW = "00000000-0000-4000-8000-000000000020";

Deno.test("A new block is named by its uuid as a text, also before it has one", () => {
  const prepared = prepare(
    "insert-blocks",
    [":db/add", NEW, ":block/parent", ref(1), 536870950],
    title(NEW, "new"),
    [":db/add", NEW, ":block/uuid", uuid(20), 536870950],
    [":db/add", ref(5), ":block/link", NEW],
  );
  assert.ok(prepared.kind === "changed");
  const { after } = prepared.report;
  const [e] = after.entitiesWith("block/title", "new");
  assert.equal(after.value(5, "block/link"), e);
  assert.equal(after.value(e ?? 0, "block/parent"), 1);
});

Deno.test("A new block whose uuid is there already is that block", () => {
  assert.deepEqual(
    changes("insert-blocks", [":db/add", "x", ":block/uuid", uuid(5)], title("x", "again")),
    ['-5 :block/title "five"', '+5 :block/title "again"'],
  );
});

Deno.test("An entry that no device could follow fails: a value came before its attribute was a ref", () => {
  const said = [[":db/add", ref(2), ":user.property/p", "x"], {
    ":block/uuid": uuid(20),
    ":db/ident": ":user.property/p",
    ":db/cardinality": ":db.cardinality/one",
    ":db/valueType": ":db.type/ref",
  }, [":db/add", ref(2), ":block/collapsed?", true]];
  assert.equal(prepare("save-block", ...said).kind, "failed");
  assert.equal(prepare("save-block", ...said.slice(1)).kind, "changed");
  const db = storedDb(GRAPH_SCHEMA, FACTS);
  assert.throws(preparation(db, forms(...said), BESIDE_TODAYS), TransactError);
});

Deno.test("An entry that says what is so already is accepted and changes nothing", () => {
  assert.deepEqual(prepare("save-block", title(ref(2), "two")), { kind: "same" });
  assert.deepEqual(prepare("save-block"), { kind: "same" });
});

Deno.test("An entry of a loop or of an order that is taken is accepted as it is", () => {
  assert.deepEqual(
    changes("move-blocks", [":db/add", ref(2), ":block/parent", ref(4)], [
      ":db/add",
      ref(2),
      ":block/order",
      "a1",
    ]),
    [
      "-2 :block/parent 1",
      "+2 :block/parent 4",
      '-2 :block/order "a0"',
      '+2 :block/order "a1"',
    ],
  );
});

Deno.test("An entry that names a block which isn't there fails, and says which", () => {
  const prepared = prepare("save-block", title(ref(2), "x"), title(ref(77), "y"));
  assert.ok(prepared.kind === "failed");
  assert.deepEqual(prepared.missing, ["00000000-0000-4000-8000-000000000077"]);
  const as = prepare("insert-blocks", [":db/add", "t", ":block/title", "x"], [
    ":db/add",
    "t",
    ":block/parent",
    ref(78),
  ]);
  assert.ok(as.kind === "failed");
  assert.deepEqual(as.missing, ["00000000-0000-4000-8000-000000000078"]);
});

Deno.test("An entry that can't be transacted for another reason fails, and names no block", () => {
  const prepared = prepare("transact", [":db/cas", ref(2), ":block/title", "not so", "x"]);
  assert.ok(prepared.kind === "failed");
  assert.match(prepared.why, /^cas-failed: /);
  assert.deepEqual(prepared.missing, []);
});

for (const op of ["rebase", "fix"]) {
  Deno.test(`A ${op} of a block that isn't there is accepted and changes nothing`, () => {
    assert.deepEqual(prepare(op, title(ref(2), "x"), title(ref(77), "y")), { kind: "same" });
    const failed = prepare(op, [":db/cas", ref(2), ":block/title", "not so", "x"]);
    assert.equal(failed.kind, "failed");
  });
}

for (const op of ["delete-blocks", "delete-page"]) {
  Deno.test(`A ${op} of a block that is gone is accepted and changes nothing`, () => {
    assert.deepEqual(prepare(op, retract(77), title(ref(77), "x")), { kind: "same" });
  });

  Deno.test(`A ${op} of nothing fails`, () => {
    assert.equal(prepare(op).kind, "failed");
  });

  Deno.test(`A ${op} takes all below with it, whatever else it says of them`, () => {
    assert.deepEqual(gone(op, retract(2)), [2, 3, 4]);
    assert.deepEqual(gone(op, retract(2), title(ref(2), "x"), title(ref(3), "x")), [2, 3, 4]);
    assert.deepEqual(gone(op, parent(4, 2), retract(2)), [2, 3, 4]);
  });

  Deno.test(`What a ${op} moves away from what it takes away stays, with all below it`, () => {
    assert.deepEqual(gone(op, parent(3, 1), retract(2)), [2]);
    assert.deepEqual(gone(op, parent(3, 1), parent(3, 2), retract(2)), [2, 3, 4]);
    assert.deepEqual(gone(op, { ":db/id": ref(3), ":block/parent": ref(1) }, retract(2)), [2]);
    assert.deepEqual(gone(op, parent(4, 1), retract(2)), [2, 3]);
  });
}

Deno.test("A page below a page that is deleted stays, with its blocks", () => {
  const db = storedDb(GRAPH_SCHEMA, [
    ...block(1, { "block/title": "Home", "block/name": "home" }),
    ...block(2, { "block/title": "Kid", "block/name": "kid", "block/parent": 1 }),
    ...block(3, { "block/title": "on Kid", "block/parent": 2, "block/page": 2 }),
    ...block(4, { "block/title": "on Home", "block/parent": 1, "block/page": 1 }),
  ]);
  for (const op of ["delete-page", "transact"]) {
    const prepared = prepareEntry(db, forms(retract(1)), op);
    assert.ok(prepared.kind === "changed");
    const { after } = prepared.report;
    assert.deepEqual([1, 2, 3, 4].filter((e) => after.ofEntity(e).length > 0), [2, 3]);
    assert.equal(after.value(2, "block/parent"), undefined);
  }
});

Deno.test("A property that is deleted leaves no number behind where it had an entity", () => {
  const mood = {
    ":db/id": -1,
    ":block/uuid": uuid(21),
    ":db/ident": ":user.property/mood",
    ":db/valueType": ":db.type/ref",
    ":db/cardinality": ":db.cardinality/one",
  };
  const good = { ":db/id": -2, ":block/uuid": uuid(22), ":block/parent": ref(21) };
  const set = [":db/add", ref(2), ":user.property/mood", ref(22)];
  const made = transact(storedDb(GRAPH_SCHEMA, FACTS), forms(mood)).after;
  const db = transact(transact(made, forms(good)).after, forms(set)).after;
  const unset = [":db/retract", ref(2), ":user.property/mood", ref(22)];
  for (const written of [[retract(21), retract(22)], [retract(21)], [retract(21), unset]]) {
    const prepared = prepareEntry(db, forms(...written), "delete-page");
    assert.ok(prepared.kind === "changed");
    assert.deepEqual(prepared.report.after.ofEntity(2, "user.property/mood"), []);
    assert.match(encode(prepared.entry), /"~:db\/retract",\["~:block\/uuid","[^"]*2"\],"~:user/);
  }
});

Deno.test("What else is said of an entity that goes is left out of deletes alone, and of no other entity", () => {
  const said = [retract(5), title(ref(5), "x"), title(ref(2), "kept")];
  assert.equal(prepare("save-block", ...said).kind, "failed");
  const deleted = changes("delete-blocks", ...said);
  assert.ok(deleted.includes('+2 :block/title "kept"'));
  assert.ok(!deleted.includes('+5 :block/title "x"'));
  const nobody = [":db/retractEntity", ":no/one"];
  const of = (ident: string): Written => [":db/add", ident, ":kv/value", 1];
  assert.equal(prepare("delete-blocks", nobody, of(":no/one")).kind, "same");
  assert.equal(prepare("delete-blocks", nobody, of(":no/other")).kind, "failed");
});

Deno.test("A block that an entry takes away takes all below with it, but for what the entry keeps", () => {
  assert.deepEqual(gone("transact", retract(2)), [2, 3, 4]);
  // 4 is below 3, which is moved.
  assert.deepEqual(
    gone("move-blocks", retract(2), [":db/add", ref(3), ":block/parent", ref(1)]),
    [2],
  );
  assert.deepEqual(gone("transact", retract(2), title(ref(4), "kept")), [2, 3]);
});

Deno.test("Blocks whose parents go round in a circle are taken away once", () => {
  const db = storedDb(GRAPH_SCHEMA, [
    ...block(1, { "block/parent": 2 }),
    ...block(2, { "block/parent": 1 }),
  ]);
  const prepared = prepareEntry(db, forms(retract(1)), "delete-blocks");
  assert.ok(prepared.kind === "changed");
  assert.deepEqual(prepared.report.after.everything("eavt"), []);
});

function parent(e: number, of: number): Written {
  return [":db/add", ref(e), ":block/parent", ref(of)];
}

const RETIRED = [
  "block/path-refs",
  "block/pre-block?",
  "logseq.property.embedding/hnsw-label",
  "logseq.property.embedding/hnsw-label-updated-at",
];

for (const a of RETIRED) {
  Deno.test(`What an entry says of :${a} is left out`, () => {
    assert.deepEqual(prepare("transact", [":db/add", ref(2), `:${a}`, 1]), { kind: "same" });
    for (const e of [2, 77]) {
      assert.deepEqual(prepare("transact", { ":db/id": ref(e), [`:${a}`]: 1 }), { kind: "same" });
    }
    assert.deepEqual(
      changes("transact", { ":db/id": ref(2), [`:${a}`]: 1, ":block/title": "x" }, [
        ":db/retract",
        ref(2),
        `:${a}`,
        1,
      ]),
      ['-2 :block/title "two"', '+2 :block/title "x"'],
    );
  });
}

Deno.test("What an entry says of an entity that is the device's own is left out, however it names it", () => {
  const own = ":logseq.kv/graph-uuid";
  const other = ":logseq.kv/graph-backup-folder";
  for (
    const said of [
      [[":db/add", own, ":kv/value", "x"]],
      [[":db/add", 10, ":kv/value", "x"]],
      [[":db/add", [":db/ident", own], ":kv/value", "x"]],
      [[":db/retractEntity", own]],
      [{ ":db/ident": own, ":kv/value": "x" }],
      [{ ":db/id": "t", ":db/ident": other, ":kv/value": "x" }],
      [[":db/add", "t", ":kv/value", "x"], [":db/add", "t", ":db/ident", other]],
      [[":db/add", "t", ":kv/value", "x"], { ":db/id": "t", ":db/ident": other }],
      [[":db/add", other, ":kv/value", "x"]],
      [[":db/add", [":db/ident", other], ":kv/value", "x"]],
      [[":db/add", ref(10), ":kv/value", "x"]],
      [[":db/add", ref(5), ":db/ident", other]],
    ] satisfies Written[][]
  ) assert.deepEqual(prepare("set-kvs", ...said), { kind: "same" }, JSON.stringify(said));
  assert.deepEqual(
    changes("set-kvs", [":db/add", ":logseq.kv/db-type", ":kv/value", "db"]),
    ['+11 :kv/value "db"'],
  );
});

Deno.test("What an entry says of an entity with another ident stays, also where it names the device's own", () => {
  const own = ":logseq.kv/graph-uuid";
  for (const e of [11, ":logseq.kv/db-type"]) {
    assert.deepEqual(changes("set-kvs", [":db/add", e, ":kv/value", own]), [
      `+11 :kv/value ${own}`,
    ]);
  }
  const made = ["+12 :db/ident :user.property/p", `+12 :kv/value ${own}`];
  assert.deepEqual(
    changes("set-kvs", [":db/add", "t", ":db/ident", ":user.property/p"], [
      ":db/add",
      "t",
      ":kv/value",
      own,
    ]),
    made,
  );
  assert.deepEqual(
    changes("set-kvs", { ":db/ident": ":user.property/p", ":kv/value": own }),
    made,
  );
});

Deno.test("A title that an entry asserts is not retracted by the same entry", () => {
  for (const e of [ref(2), 2]) {
    assert.deepEqual(
      changes("save-block", title(ref(2), "new"), [":db/retract", e, ":block/title", "new"], [
        ":db/retract",
        ref(2),
        ":block/title",
        "two",
      ]),
      ['-2 :block/title "two"', '+2 :block/title "new"'],
    );
  }
  // Another block's is.
  assert.deepEqual(
    changes("save-block", title(ref(2), "five"), [":db/retract", ref(5), ":block/title", "five"]),
    ['-2 :block/title "two"', '+2 :block/title "five"', '-5 :block/title "five"'],
  );
});

Deno.test("Nor is a name, nor the title that two blocks get; of other attributes it is", () => {
  const said = (op: string, e: number, a: string, v: string): Written => [op, ref(e), a, v];
  assert.deepEqual(
    changes(
      "save-block",
      said(":db/add", 2, ":block/name", "n"),
      said(":db/retract", 2, ":block/name", "n"),
    ),
    ['+2 :block/name "n"'],
  );
  assert.deepEqual(
    changes(
      "save-block",
      ...[2, 5].map((e) => title(ref(e), "same")),
      ...[2, 5].map((e) => said(":db/retract", e, ":block/title", "same")),
    ),
    [
      '-2 :block/title "two"',
      '+2 :block/title "same"',
      '-5 :block/title "five"',
      '+5 :block/title "same"',
    ],
  );
  assert.deepEqual(
    changes(
      "move-blocks",
      said(":db/add", 2, ":block/order", "a5"),
      said(":db/retract", 2, ":block/order", "a5"),
    ),
    ['-2 :block/order "a0"', '+2 :block/order "a5"', '-2 :block/order "a5"'],
  );
});

Deno.test("Of an encrypted graph a name that goes does so whatever text it is told in", () => {
  const flag = [
    fact(12, "db/ident", ":logseq.kv/graph-rtc-e2ee?"),
    fact(12, "kv/value", true),
  ];
  const changesOf = (facts: readonly Datom[], ...written: readonly Written[]) => {
    const made = prepareEntry(storedDb(GRAPH_SCHEMA, facts), forms(...written), "save-block");
    assert.ok(made.kind !== "failed", JSON.stringify(made));
    return made.kind === "same" ? [] : made.report.datoms.map(show);
  };
  const lost: Written = [":db/retract", ref(1), ":block/name", "page, encrypted anew"];
  assert.deepEqual(changesOf([...FACTS, ...flag], lost), ['-1 :block/name "page"']);
  assert.deepEqual(changesOf(FACTS, lost), []);
  // Who gets another keeps that, in whichever order it is said.
  const other: Written = [":db/add", ref(1), ":block/name", "other"];
  const renamed = ['-1 :block/name "page"', '+1 :block/name "other"'];
  assert.deepEqual(changesOf([...FACTS, ...flag], lost, other), renamed);
  assert.deepEqual(changesOf([...FACTS, ...flag], other, lost), renamed);
});

Deno.test("An entry is prepared the same whether its nodes are in memory or come one by one", () => {
  const { root, nodes } = stored(GRAPH_SCHEMA, FACTS);
  for (
    const [op, said] of [
      ["delete-blocks", [retract(2)]],
      ["transact", [retract(2), title(ref(4), "x")]],
      ["set-kvs", [[":db/add", 10, ":kv/value", "x"], title(ref(5), "y")]],
      ["fix", [title(ref(77), "y")]],
    ] satisfies [string, Written[]][]
  ) {
    const lazy = new LazyNodes(nodes);
    const db = Db.open(root, lazy);
    const prepared = lazy.untilDone(() => prepareEntry(db, forms(...said), op));
    const whole = prepareEntry(Db.open(root, nodes), forms(...said), op);
    assert.equal(prepared.kind, whole.kind);
    if (prepared.kind !== "changed" || whole.kind !== "changed") continue;
    assert.equal(encode(prepared.entry), encode(whole.entry));
  }
});

Deno.test("Thousands of attributes go while as many are made, without a look at each for each", () => {
  const count = 10_000;
  const names = Array.from({ length: count }, (_, i) => `:user.property/p${i}`);
  const db = storedDb(
    GRAPH_SCHEMA,
    names.flatMap((name, i) => [
      fact(100 + i, "db/ident", name),
      fact(100 + i, "db/valueType", ":db.type/string"),
    ]),
  );
  const prepared = prepareEntry(
    db,
    forms(
      ...names.map((name): Written => [":db/retractEntity", name]),
      ...names.map((name, i): Written => [":db/add", -1 - i, ":db/ident", `${name}-anew`]),
    ),
    undefined,
  );
  assert.ok(prepared.kind === "changed");
  assert.equal(prepared.entry.items.length, 2 * count);
});
