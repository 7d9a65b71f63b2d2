import assert from "node:assert/strict";
import fc from "fast-check";
import type { Datom } from "../../datascript/datom.ts";
import type { Db } from "../../datascript/db.ts";
import type { TxReport } from "../../datascript/report.ts";
import { transact } from "../../datascript/transact.ts";
import { encode } from "../../datascript/transit.ts";
import { equal, List } from "../../datascript/value.ts";
import { normalize, normalizeForToday } from "../../logseq/normalize.ts";
import { block, differencesOfMeaning, GRAPH_SCHEMA, ref, uuid } from "../support/blocks.ts";
import { DataScriptDb, differencesFromOurs } from "../support/datascript.ts";
import { storedDb } from "../support/memory_db.ts";
import { fact, forms, formsOf, transacted, value, type Written } from "../support/written.ts";

const BASE: readonly Datom[] = [
  ...block(1, { "block/title": "page", "block/tags": 4 }),
  ...block(2, { "block/title": "block", "block/parent": 1 }),
  ...block(3, { "block/title": "child", "block/parent": 2, "block/refs": 1 }),
  ...block(4, { "block/title": "Task", "db/ident": ":class/task" }),
  fact(5, "db/ident", ":the/key"),
  fact(5, "kv/value", "old"),
  fact(6, "file/path", "a.css"),
];

const base = (): Db => storedDb(GRAPH_SCHEMA, BASE);

const title = (e: Written, text: string): Written => [":db/add", e, ":block/title", text];

const CASES: readonly (readonly [title: string, batch: Written[], entry: Written[]])[] = [
  ["A batch that changes nothing has an empty entry", [title(ref(2), "block")], []],
  ["An entity is named by its uuid", [[":db/add", 2, ":block/collapsed?", true]], [
    [":db/add", ref(2), ":block/collapsed?", true],
  ]],
  ["An entity without a uuid is named by its ident", [[":db/add", 5, ":kv/value", "new"]], [
    [":db/retract", ":the/key", ":kv/value", "old"],
    [":db/add", ":the/key", ":kv/value", "new"],
  ]],
  ["An entity with both is named by its uuid", [title(":class/task", "Todo")], [
    [":db/retract", ref(4), ":block/title", "Task"],
    [":db/add", ref(4), ":block/title", "Todo"],
  ]],
  [
    "So is the value of a ref",
    [[":db/add", 2, ":block/tags", 4], [":db/add", 2, ":block/refs", 5]],
    [
      [":db/add", ref(2), ":block/tags", ref(4)],
      [":db/add", ref(2), ":block/refs", ":the/key"],
    ],
  ],
  ["A number that is no ref stays a number", [[":db/add", 2, ":kv/value", 4]], [
    [":db/add", ref(2), ":kv/value", 4],
  ]],
  [
    "A new entity is named by its eid below zero, as a value too",
    [{ ":db/id": "t", ":block/uuid": uuid(7), ":block/parent": 1 }, [
      ":db/add",
      2,
      ":block/refs",
      "t",
    ]],
    [
      [":db/add", ref(2), ":block/refs", -7],
      [":db/add", -7, ":block/uuid", uuid(7)],
      [":db/add", -7, ":block/parent", ref(1)],
    ],
  ],
  [
    "Entities come in ascending order of their eids",
    [title(3, "c"), title(2, "b"), title(1, "a")],
    [
      [":db/retract", ref(1), ":block/title", "page"],
      title(ref(1), "a"),
      [":db/retract", ref(2), ":block/title", "block"],
      title(ref(2), "b"),
      [":db/retract", ref(3), ":block/title", "child"],
      title(ref(3), "c"),
    ],
  ],
  ["An entity whose uuid went is taken away whole", [[":db/retractEntity", 3]], [
    [":db.fn/retractEntity", ref(3)],
  ]],
  ["So is one without a uuid, by the ident that it had", [
    [":db/add", 5, ":kv/value", "new"],
    [":db/retractEntity", ":the/key"],
  ], [
    [":db.fn/retractEntity", ":the/key"],
  ]],
  ["What refers to it is told too", [[":db/retractEntity", 1]], [
    [":db.fn/retractEntity", ref(1)],
    [":db/retract", ref(2), ":block/parent", ref(1)],
    [":db/retract", ref(3), ":block/refs", ref(1)],
  ]],
  ["What happened to it before it went is not told", [title(3, "x"), [":db/retractEntity", 3]], [
    [":db.fn/retractEntity", ref(3)],
  ]],
  [
    "A new entity that the batch takes away is taken away whole",
    [{ ":block/uuid": uuid(7), ":block/title": "x" }, [":db/retractEntity", ref(7)]],
    [[":db.fn/retractEntity", ref(7)]],
  ],
  ["Nothing is retracted of a new entity", [{
    ":db/id": -1,
    ":block/uuid": uuid(7),
    ":block/title": "x",
  }, title(ref(7), "y")], [
    [":db/add", -7, ":block/uuid", uuid(7)],
    [":db/add", -7, ":block/title", "x"],
    [":db/add", -7, ":block/title", "y"],
  ]],
  ["What the batch took back of a new entity is not asserted", [
    { ":block/uuid": uuid(7), ":block/tags": [4], ":block/title": "x", ":block/name": "n" },
    [":db/retract", ref(7), ":block/tags", 4],
    [":db/retract", ref(7), ":block/name"],
  ], [
    [":db/add", -7, ":block/uuid", uuid(7)],
    [":db/add", -7, ":block/title", "x"],
  ]],
  ["A ref to an entity that the batch takes away is not asserted", [
    [":db/add", 3, ":block/refs", 2],
    [":db/retractEntity", 2],
  ], [
    [":db.fn/retractEntity", ref(2)],
    [":db/retract", ref(3), ":block/refs", ref(2)],
    [":db/retract", ref(3), ":block/parent", ref(2)],
  ]],
  ["Nor a ref to a new entity that the batch takes away", [
    { ":db/id": -1, ":block/uuid": uuid(7) },
    [":db/add", 3, ":block/refs", -1],
    { ":db/id": -2, ":block/uuid": uuid(8), ":block/link": -1 },
    [":db/retractEntity", ref(7)],
  ], [
    [":db.fn/retractEntity", ref(7)],
    [":db/add", -8, ":block/uuid", uuid(8)],
  ]],
  ["An entity that is gone is named by the uuid it had before", [
    [":db/add", 3, ":block/uuid", uuid(9)],
    [":db/retractEntity", 3],
  ], [
    [":db.fn/retractEntity", ref(3)],
  ]],
  [
    "Ident, type and cardinality come first, in this order",
    [
      title(1, "x"),
      {
        ":db/id": -1,
        ":block/title": "p",
        ":db/cardinality": ":db.cardinality/many",
        ":db/ident": ":user.property/p",
        ":db/valueType": ":db.type/ref",
      },
      [":db/add", 2, ":user.property/p", 1],
    ],
    [
      [":db/add", -7, ":db/ident", ":user.property/p"],
      [":db/add", -7, ":db/valueType", ":db.type/ref"],
      [":db/add", -7, ":db/cardinality", ":db.cardinality/many"],
      [":db/retract", ref(1), ":block/title", "page"],
      title(ref(1), "x"),
      [":db/add", ref(2), ":user.property/p", ref(1)],
      [":db/add", -7, ":block/title", "p"],
    ],
  ],
];

for (const [name, batch, entry] of CASES) {
  Deno.test(name, () => {
    const report = transact(base(), forms(...batch));
    const ours = normalize(report);
    const expected = new List(entry.map(value));
    assert.deepEqual(ours.items.map(encode), expected.items.map(encode));
    assert.ok(equal(ours, expected));
    const replica = transact(base(), formsOf([encode(ours)]));
    assert.deepEqual(differencesOfMeaning(replica.after, report.after), []);
  });
}

/** Before the batch a block 8 with a property 7, whose value is 1. */
const TODAYS: readonly (readonly [title: string, batch: Written[], entry: Written[]])[] = [
  ["what refers to an entity that goes comes before its end", [[":db/retractEntity", 1]], [
    [":db/retract", ref(2), ":block/parent", ref(1)],
    [":db/retract", ref(3), ":block/refs", ref(1)],
    [":db/retract", ref(8), ":user.property/p", ref(1)],
    [":db.fn/retractEntity", ref(1)],
  ]],
  [
    "what has an attribute that goes comes before its end",
    [[":db/retract", 8, ":user.property/p", 1], [":db/retractEntity", 7], title(3, "c")],
    [
      [":db/retract", ref(8), ":user.property/p", ref(1)],
      [":db.fn/retractEntity", ref(7)],
      [":db/retract", ref(3), ":block/title", "child"],
      title(ref(3), "c"),
    ],
  ],
  [
    "what refers to an entity that is made anew comes before its end",
    [[":db/retractEntity", 1], { ":db/id": -1, ":block/uuid": uuid(1) }, [
      ":db/add",
      2,
      ":block/parent",
      -1,
    ]],
    [
      [":db/retract", ref(2), ":block/parent", ref(1)],
      [":db/retract", ref(3), ":block/refs", ref(1)],
      [":db/retract", ref(8), ":user.property/p", ref(1)],
      [":db.fn/retractEntity", ref(1)],
      [":db/add", ref(2), ":block/parent", -9],
      [":db/add", -9, ":block/uuid", uuid(1)],
    ],
  ],
  [
    "an entity is called by its new uuid once that is told",
    [title(2, "b"), [":db/add", 2, ":block/uuid", uuid(9)], [":db/add", 3, ":block/refs", 2]],
    [
      [":db/add", ref(2), ":block/uuid", uuid(9)],
      [":db/retract", ref(9), ":block/title", "block"],
      title(ref(9), "b"),
      [":db/add", ref(3), ":block/refs", ref(9)],
    ],
  ],
  [
    "an entity with both is called by its new uuid, whatever its ident becomes",
    [[":db/add", 4, ":block/uuid", uuid(9)], [":db/add", 4, ":db/ident", ":class/job"]],
    [
      [":db/add", ref(4), ":block/uuid", uuid(9)],
      [":db/retract", ref(9), ":db/ident", ":class/task"],
      [":db/add", ref(9), ":db/ident", ":class/job"],
    ],
  ],
  [
    "an entity without a uuid is called by its new ident",
    [[":db/add", 5, ":db/ident", ":the/other"], [":db/add", 5, ":kv/value", "new"]],
    [
      [":db/add", ":the/key", ":db/ident", ":the/other"],
      [":db/retract", ":the/other", ":kv/value", "old"],
      [":db/add", ":the/other", ":kv/value", "new"],
    ],
  ],
  [
    "what is asserted under the name of an attribute that goes comes after its end",
    [[":db/retractEntity", 7], [":db/add", 3, ":user.property/p", "text"]],
    [
      [":db.fn/retractEntity", ref(7)],
      [":db/add", ref(3), ":user.property/p", "text"],
    ],
  ],
  [
    "an entity that has its uuid again is called by it",
    [[":db/add", 2, ":block/uuid", uuid(9)], title(2, "b"), [":db/add", 2, ":block/uuid", uuid(2)]],
    [
      [":db/add", ref(2), ":block/uuid", uuid(9)],
      [":db/add", ref(9), ":block/uuid", uuid(2)],
      [":db/retract", ref(2), ":block/title", "block"],
      title(ref(2), "b"),
    ],
  ],
  [
    "an entity takes the uuid of one that went",
    [[":db/retractEntity", 1], [":db/add", 2, ":block/uuid", uuid(1)], title(2, "b")],
    [
      [":db/retract", ref(2), ":block/parent", ref(1)],
      [":db/retract", ref(3), ":block/refs", ref(1)],
      [":db/retract", ref(8), ":user.property/p", ref(1)],
      [":db.fn/retractEntity", ref(1)],
      [":db/add", ref(2), ":block/uuid", uuid(1)],
      [":db/retract", ref(1), ":block/title", "block"],
      title(ref(1), "b"),
    ],
  ],
  [
    "an entity takes the uuid of one that goes on to a third",
    [
      [":db/add", 2, ":block/uuid", uuid(9)],
      [":db/add", 3, ":block/uuid", uuid(2)],
      [":db/add", 2, ":block/uuid", uuid(10)],
    ],
    [
      [":db/add", ref(2), ":block/uuid", uuid(9)],
      [":db/add", ref(3), ":block/uuid", uuid(2)],
      [":db/add", ref(9), ":block/uuid", uuid(10)],
    ],
  ],
  [
    "two entities change uuids",
    [
      [":db/add", 2, ":block/uuid", uuid(9)],
      [":db/add", 3, ":block/uuid", uuid(2)],
      [":db/add", 2, ":block/uuid", uuid(3)],
      title(ref(3), "b"),
    ],
    [
      [":db/add", ref(2), ":block/uuid", uuid(9)],
      [":db/add", ref(3), ":block/uuid", uuid(2)],
      [":db/add", ref(9), ":block/uuid", uuid(3)],
      [":db/retract", ref(3), ":block/title", "block"],
      title(ref(3), "b"),
    ],
  ],
];

for (const entryOf of [normalize, normalizeForToday]) {
  Deno.test(`An attribute without a name is told as any other: ${entryOf.name}`, () => {
    const batch = [[":db/add", 2, ":", "x"], { ":block/uuid": uuid(7), ":": "y" }];
    const report = transact(base(), forms(...batch));
    const replica = transact(base(), formsOf([encode(entryOf(report))]));
    assert.deepEqual(differencesOfMeaning(replica.after, report.after), []);
  });

  Deno.test(`What a batch takes away and makes anew keeps its ident elsewhere: ${entryOf.name}`, () => {
    const property = (e: number): Written => ({
      ":db/id": e,
      ":block/uuid": uuid(7),
      ":db/ident": ":user.property/p",
      ":db/valueType": ":db.type/ref",
      ":db/cardinality": ":db.cardinality/one",
    });
    const before = (): Db => transact(base(), forms(property(-1))).after;
    const report = transact(before(), forms([":db.fn/retractEntity", ref(7)], property(-5)));
    const replica = transact(before(), formsOf([encode(entryOf(report))]));
    assert.deepEqual(differencesOfMeaning(replica.after, report.after), []);
  });
}

Deno.test("An entry of today's speaks of all that stays though it was below an entity that goes", () => {
  const under = (e: number, parent: number): readonly Datom[] =>
    block(e, { "block/title": `${e}`, "block/parent": parent });
  const before = storedDb(GRAPH_SCHEMA, [
    ...block(1, { "block/name": "page" }),
    ...[under(2, 1), under(3, 2), under(4, 3), under(5, 4), under(6, 2)].flat(),
  ]);
  const batch = [[":db/add", 3, ":block/parent", 1], [":db/retractEntity", 2], [
    ":db/retractEntity",
    6,
  ]];
  assert.deepEqual(
    normalizeForToday(transact(before, forms(...batch))).items.map(encode),
    [
      [":db/retract", ref(3), ":block/parent", ref(2)],
      [":db.fn/retractEntity", ref(2)],
      [":db.fn/retractEntity", ref(6)],
      [":db/add", ref(3), ":block/parent", ref(1)],
      [":db/add", ref(4), ":block/parent", ref(3)],
      [":db/add", ref(5), ":block/parent", ref(4)],
    ].map(value).map(encode),
  );
});

for (const [name, batch, entry] of TODAYS) {
  Deno.test(`In an entry of today's, ${name}`, () => {
    const property = {
      ":db/id": -1,
      ":block/uuid": uuid(7),
      ":db/ident": ":user.property/p",
      ":db/valueType": ":db.type/ref",
      ":db/cardinality": ":db.cardinality/one",
    };
    const block = [[":db/add", -1, ":block/uuid", uuid(8)], [":db/add", -1, ":user.property/p", 1]];
    const before = (): Db =>
      transact(transact(base(), forms(property)).after, forms(...block)).after;
    const report = transact(before(), forms(...batch));
    const ours = normalizeForToday(report);
    assert.deepEqual(ours.items.map(encode), entry.map(value).map(encode));
    const replica = transact(before(), formsOf([encode(ours)]));
    assert.deepEqual(differencesOfMeaning(replica.after, report.after), []);
  });
}

Deno.test("A ref to nobody is not told, since no device could follow it", () => {
  const toNobody: Written = [":db/add", 3, ":block/refs", 50];
  const takenBack: Written[] = [title(50, "x"), toNobody, [":db/retract", 50, ":block/title", "x"]];
  for (const batch of [[toNobody], takenBack]) {
    assert.deepEqual(normalize(transact(base(), forms(...batch))).items, []);
  }
});

/** Batches of a client of a small graph: blocks made, changed, moved and taken away. */
function batches(...more: fc.Arbitrary<Written>[]): fc.Arbitrary<readonly Written[]> {
  const known = fc.integer({ min: 1, max: 4 });
  const made = fc.integer({ min: 30, max: 33 });
  const target: fc.Arbitrary<Written> = fc.oneof(known, made).map(ref);
  const text = fc.constantFrom("a", "b", "c");
  const form: fc.Arbitrary<Written> = fc.oneof(
    fc.tuple(made, text, target).map(([e, name, parent]): Written => ({
      ":block/uuid": uuid(e),
      ":block/title": name,
      ":block/parent": parent,
    })),
    fc.tuple(target, text).map(([e, name]): Written => title(e, name)),
    fc.tuple(target, fc.constantFrom(":block/refs", ":block/tags"), target)
      .map(([e, a, v]): Written => [":db/add", e, a, v]),
    fc.tuple(target, fc.constantFrom(":block/refs", ":block/tags", ":block/parent"), target)
      .map(([e, a, v]): Written => [":db/retract", e, a, v]),
    fc.tuple(target, text).map(([e, v]): Written => [":db/add", e, ":user.property/texts", v]),
    fc.tuple(target, text).map(([e, v]): Written => [":db/retract", e, ":user.property/texts", v]),
    fc.tuple(target, fc.constantFrom(":block/title", ":block/refs", ":user.property/texts"))
      .map(([e, a]): Written => [":db.fn/retractAttribute", e, a]),
    target.map((e): Written => [":db/retractEntity", e]),
    text.map((v): Written => [":db/add", ":the/key", ":kv/value", v]),
    ...more,
  );
  return fc.array(form, { minLength: 1, maxLength: 8, size: "max" });
}

/**
 * A block that gets another uuid, or what has none another ident: today's clients may send it, and the
 * seed's logs can't tell it.
 */
const renames: fc.Arbitrary<Written> = fc.oneof(
  fc.tuple(fc.constantFrom(1, 2, 3, 30), fc.constantFrom(1, 2, 30, 31, 34))
    .map(([e, other]): Written => [":db/add", ref(e), ":block/uuid", uuid(other)]),
  fc.constant([":db/add", 5, ":db/ident", ":the/other"]),
);

/** Runs what is accepted of some batches, one after the other, on a graph that `begin` is told of. */
function assertFollowed(
  batch: fc.Arbitrary<readonly Written[]>,
  begin: () => (report: TxReport) => void,
): void {
  let done = 0;
  fc.assert(
    fc.property(fc.array(batch, { minLength: 1, maxLength: 4, size: "max" }), (all) => {
      const follow = begin();
      let server = base();
      for (const batch of all) {
        const report = transacted(server, ...batch);
        if (report === undefined) continue;
        done++;
        server = report.after;
        follow(report);
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(done > 300, `only ${done} batches came to something`);
}

for (
  const [dialect, entryOf, batch] of [
    ["the seed", normalize, batches()],
    ["today", normalizeForToday, batches(renames)],
  ] as const
) {
  Deno.test(`Whoever follows the log entries of ${dialect} alone has what the server has`, () => {
    assertFollowed(batch, () => {
      let replica = base();
      return (report) => {
        replica = transact(replica, formsOf([encode(entryOf(report))])).after;
        assert.deepEqual(differencesOfMeaning(replica, report.after), []);
      };
    });
  });
}

Deno.test("DataScript itself takes the log entries of today", () => {
  const datascript = new DataScriptDb(GRAPH_SCHEMA, BASE);
  assertFollowed(batches(renames), () => {
    const device = datascript.connect();
    return (report) => {
      device.transact(datascript.formsOf(normalizeForToday(report)));
      assert.deepEqual(differencesFromOurs(device, report.after), []);
    };
  });
});
