/** A database whose leaves are long: a few nodes of it are more than there should be in memory at once. */
import { Datom } from "../../datascript/datom.ts";
import { encodeNode } from "../../datascript/node.ts";
import { encodeRoot } from "../../datascript/root.ts";
import { emptyRoot } from "../../datascript/stored.ts";
import { Uuid } from "../../datascript/value.ts";
import { LOGSEQ_SCHEMA } from "../../logseq/schema.ts";
import type { FixtureRow } from "./fixtures.ts";

const TX = 536870913;
const [EAVT, AEVT, AVET, LEAVES] = [10, 11, 12, 20];

/** Rows of a database with so many entities, each in a leaf of its own, with a value of this length. */
export function longLeaves(count: number, length: number): readonly FixtureRow[] {
  const value = "a".repeat(length);
  const eids = Array.from({ length: count }, (_, i) => 1000 + i);
  const uuids = eids.map((e) =>
    new Datom(e, "block/uuid", new Uuid(`00000000-0000-4000-8000-00000000${e}`), TX)
  );
  const leaves = uuids.map((uuid) =>
    encodeNode([
      new Datom(uuid.e, "a/long", value, TX),
      new Datom(uuid.e, "block/name", `page ${uuid.e}`, TX),
      uuid,
    ])
  );
  const top = encodeNode(uuids, eids.map((_, i) => LEAVES + i));
  const { trees, ...root } = emptyRoot(LOGSEQ_SCHEMA);
  const addresses = { eavt: EAVT, aevt: AEVT, avet: AVET };
  const eavt = { ...trees.eavt, root: EAVT, shift: 1, count: 3 * count };
  return [
    [0, encodeRoot({ ...root, trees: { ...trees, eavt }, maxEid: 1000 + count }, addresses), null],
    [EAVT, top.content, top.addresses],
    ...[AEVT, AVET].map((addr): FixtureRow => [addr, encodeNode([]).content, null]),
    ...leaves.map(({ content }, i): FixtureRow => [LEAVES + i, content, null]),
  ];
}
