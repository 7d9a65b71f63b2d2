import assert from "node:assert/strict";
import { CorruptRowError } from "../../datascript/errors.ts";
import type { FixtureRow } from "../support/fixtures.ts";
import { txOf } from "../support/forms.ts";
import { Process } from "../support/process.ts";

const TX = 536870913;

/** Row 0 of a database whose trees are at these addresses. */
function root(eavt: number, avet: number, shift: number): FixtureRow {
  const metadata = (count: number, shift: number): unknown => [
    "^ ",
    "~:count",
    count,
    "~:shift",
    shift,
  ];
  const schema = [
    "^ ",
    "~:block/order",
    ["^ ", "~:db/index", true],
    "~:block/ref",
    ["^ ", "~:db/valueType", "~:db.type/ref"],
  ];
  const content = [
    ...["^ ", "~:schema", schema, "~:max-eid", 100, "~:max-tx", TX],
    ...["~:eavt", eavt, "~:aevt", 10, "~:avet", avet],
    ...["~:eavt-metadata", metadata(1, shift), "~:aevt-metadata", metadata(0, 0)],
    ...["~:avet-metadata", metadata(1, shift), "~:max-addr", 100],
    ...["~:branching-factor", 32, "~:ref-type", "~:strong"],
  ];
  return [0, JSON.stringify(content), null];
}

function node(addr: number, keys: readonly unknown[], children?: readonly number[]): FixtureRow {
  const addresses = children === undefined ? null : JSON.stringify(children);
  return [addr, JSON.stringify(["^ ", "~:keys", keys]), addresses];
}

const TITLE = [5, "~:block/title", "a", TX];
const LEVELS = 8;
const WIDTH = 60;

const TREES = {
  "is below itself": {
    rows: [root(10, 11, 1), node(10, []), node(11, [[5, "~:block/zzz", "z", TX]], [11])],
    form: ["~:db/retractEntity", 5],
  },
  "has each node below many": {
    rows: [
      root(20 + LEVELS - 1, 10, LEVELS - 1),
      node(10, []),
      node(20, [TITLE]),
      ...Array.from(
        { length: LEVELS - 1 },
        (_, i) => node(21 + i, Array(WIDTH).fill(TITLE), Array(WIDTH).fill(20 + i)),
      ),
    ],
    form: ["~:db/add", 5, "~:block/title", "b"],
  },
} as const;

for (const [what, { rows, form }] of Object.entries(TREES)) {
  Deno.test(`A batch on rows of which a tree ${what} fails, and comes to an end`, async () => {
    using kv = await Deno.openKv(":memory:");
    const server = new Process(kv);
    const graph = await server.graphWith([...rows, [1, "[]", null]]);
    await assert.rejects(server.send(graph, 0, txOf(form)), CorruptRowError);
  });
}
