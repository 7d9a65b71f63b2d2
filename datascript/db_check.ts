/**
 * A whole database held against what it must be: its trees, that all indexes hold the same facts,
 * that unique values are unique, and that the root's numbers are right. A walk (tree_check.ts), so
 * it takes little memory whatever the size: an address for each node, and some sums.
 *
 * DataScript does not index again what is there when an attribute becomes an indexed one, so AVET is
 * held only against datoms that came after the last change of their attribute.
 */

import { compareValues } from "./compare.ts";
import { type Datom, encodeDatom, TX0 } from "./datom.ts";
import type { Db } from "./db.ts";
import { bucketOf, Fingerprint } from "./fingerprint.ts";
import { compareDatoms, compareFacts, type Index } from "./order.ts";
import { isSchemaAttribute } from "./schema.ts";
import { encode } from "./transit.ts";
import { type NodePlace, type TreeShape, type Walk, type Walked, walkTree } from "./tree_check.ts";
import { Keyword } from "./value.ts";

/** What is wrong, as it is found: `place` is the sentence's subject, `what` the rest of it. */
export type Tell = (place: string, what: string) => void;

/** What the trees are made of. */
export interface CheckedDb {
  /** In EAVT. */
  readonly datoms: number;
  /** Of all nodes that were asked for. */
  readonly addresses: ReadonlySet<number>;
  /** No node was missing. */
  readonly whole: boolean;
}

/** Where two indexes differ, so many buckets are looked at, and so many datoms told. */
const LOCATED_BUCKETS = 8;
const TOLD_DATOMS = 10;

/** @param db all of whose stored nodes are at addresses; whoever drives it tells of missing nodes */
export function* checkDb(db: Db, keys: Omit<TreeShape, "compare">, tell: Tell): Walk<CheckedDb> {
  const { root } = db;
  const addresses = new Set<number>();
  const times = new AttributeTimes();
  const [eavt, aevt] = [new Fingerprint(), new Fingerprint()];
  const [indexed, avet] = [new Fingerprint(), new Fingerprint()];
  const greatest = { e: 0, tx: TX0 };
  const strangers = new Set<string>();

  function* walk(index: Index, datom: (datom: Datom) => void): Walk<Walked> {
    const shape = { ...keys, compare: compareDatoms[index] };
    const listener = {
      problem: (at: NodePlace, what: string): void => tell(nameOf(at), what),
      datom: (one: Datom, at: NodePlace): void => {
        if (!one.added) tell(nameOf(at), `holds a retraction: ${show(one)}`);
        datom(one);
      },
    };
    const walked = yield* onlyOnce(walkTree(root.trees[index], shape, listener), addresses, tell);
    const stated = root.trees[index].count;
    if (walked.whole && walked.count !== stated) {
      tell(
        "row 0",
        `counts ${stated} datoms in ${index.toUpperCase()}, which holds ${walked.count}`,
      );
    }
    return walked;
  }

  const byEntity = yield* walk("eavt", (datom) => {
    eavt.add(datom);
    times.see(datom);
    if (datom.e < TX0) greatest.e = Math.max(greatest.e, datom.e);
    greatest.tx = Math.max(greatest.tx, datom.tx);
  });
  db.changes("eavt").forEach((datom) => times.see(datom));
  const isCovered = ({ a, tx }: Datom): boolean => root.schema.isIndexed(a) && tx > times.of(a);

  const byAttribute = yield* walk("aevt", (datom) => {
    aevt.add(datom);
    if (isCovered(datom)) indexed.add(datom);
  });
  const uniques = new UniqueValues(db, times, tell);
  const byValue = yield* walk("avet", (datom) => {
    if (isCovered(datom)) avet.add(datom);
    // Of an attribute that was taken away, what was there stays in AVET, as in DataScript.
    if (root.schema.has(datom.a) && !root.schema.isIndexed(datom.a) && !times.has(datom.a)) {
      strangers.add(datom.a);
    }
    uniques.see(datom);
  });
  uniques.end();

  for (const a of strangers) tell("AVET", `holds datoms of :${a}, which is not indexed`);
  if (greatest.e > root.maxEid || root.maxEid >= TX0) {
    tell("row 0", `has a max-eid of ${root.maxEid}, and the greatest eid is ${greatest.e}`);
  }
  if (greatest.tx > root.maxTx) {
    tell("row 0", `has a max-tx of ${root.maxTx}, and the greatest tx is ${greatest.tx}`);
  }
  const last = addresses.values().reduce((most, address) => Math.max(most, address), 0);
  if (last > root.maxAddr) {
    tell("row 0", `has a max-addr of ${root.maxAddr}, and refers to row ${last}`);
  }
  // What a missing row held would be told again, datom by datom.
  if (byEntity.whole && byAttribute.whole) {
    yield* tellDifferences(db, ["eavt", "aevt"], eavt.differing(aevt), () => true, tell);
  }
  if (byAttribute.whole && byValue.whole) {
    yield* tellDifferences(db, ["aevt", "avet"], indexed.differing(avet), isCovered, tell);
  }
  const whole = byEntity.whole && byAttribute.whole && byValue.whole;
  return { datoms: byEntity.count, addresses, whole };
}

function nameOf({ ref, path }: NodePlace): string {
  return typeof ref === "number" ? `row ${ref}` : `node ${path || "root"}`;
}

function show(datom: Datom): string {
  return encode(encodeDatom(datom));
}

/** The same walk, but without nodes that it, or one before it, has had: each row has one use. */
function* onlyOnce<Result>(
  walk: Walk<Result>,
  had: Set<number>,
  tell: Tell,
): Walk<Result> {
  let step = walk.next();
  while (!step.done) {
    const isFirst = step.value.map((ref) => {
      if (typeof ref !== "number") return true;
      if (had.has(ref)) tell(`row ${ref}`, "is referred to more than once");
      return had.size < had.add(ref).size;
    });
    const nodes = (yield step.value.filter((_, i) => isFirst[i])).values();
    step = walk.next(isFirst.map((first) => first ? nodes.next().value : undefined));
  }
  return step.value;
}

/** The last transaction that said what an attribute is. */
class AttributeTimes {
  readonly #entities = new Map<number, { readonly names: string[]; tx: number }>();
  #byName: ReadonlyMap<string, number> | undefined;

  see({ e, a, v, tx }: Datom): void {
    if (!isSchemaAttribute(a)) return;
    const entity = this.#entities.get(e) ?? { names: [], tx };
    entity.tx = Math.max(entity.tx, tx);
    if (a === "db/ident" && v instanceof Keyword) entity.names.push(v.name);
    this.#entities.set(e, entity);
    this.#byName = undefined;
  }

  /** Whether the attribute came by transaction. */
  has(a: string): boolean {
    return this.#names().has(a);
  }

  /** 0 for an attribute that is as the root has it, and nothing else. */
  of(a: string): number {
    return this.#names().get(a) ?? 0;
  }

  #names(): ReadonlyMap<string, number> {
    return this.#byName ??= new Map(
      [...this.#entities.values()].flatMap(({ names, tx }) => names.map((name) => [name, tx])),
    );
  }
}

/** Goes along AVET, with what the overlay changes of it, and tells of values that two entities have. */
class UniqueValues {
  readonly #db: Db;
  readonly #times: AttributeTimes;
  readonly #tell: Tell;
  readonly #over: readonly Datom[];
  #next = 0;
  #last: Datom | undefined;

  constructor(db: Db, times: AttributeTimes, tell: Tell) {
    this.#db = db;
    this.#times = times;
    this.#tell = tell;
    this.#over = db.changes("avet");
  }

  see(datom: Datom): void {
    for (;;) {
      const over = this.#over[this.#next];
      const order = over === undefined ? 1 : compareFacts.avet(over, datom);
      if (over === undefined || order > 0) return this.#visit(datom);
      if (order === 0) return;
      this.#visit(over);
      this.#next++;
    }
  }

  end(): void {
    for (const over of this.#over.slice(this.#next)) this.#visit(over);
  }

  #visit(datom: Datom): void {
    const { schema } = this.#db;
    if (!datom.added || !schema.isUnique(datom.a)) return;
    const last = this.#last;
    const same = last !== undefined && last.a === datom.a && last.e !== datom.e &&
      compareValues(last.v, datom.v) === 0;
    if (same && Math.max(last.tx, datom.tx) > this.#times.of(datom.a)) {
      this.#tell("AVET", `has one unique value of two entities: ${show(last)} and ${show(datom)}`);
    }
    this.#last = datom;
  }
}

/** Names the datoms that only one of two indexes has, in the buckets that differ. */
function* tellDifferences(
  db: Db,
  [one, other]: readonly [Index, Index],
  buckets: ReadonlySet<number>,
  isCovered: (datom: Datom) => boolean,
  tell: Tell,
): Walk<void> {
  if (buckets.size === 0) return;
  const looked = new Set([...buckets].slice(0, LOCATED_BUCKETS));
  const held = { eavt: new Set<string>(), aevt: new Set<string>(), avet: new Set<string>() };
  for (const index of [one, other]) {
    const shape = { compare: compareDatoms[index], minKeys: 0, maxKeys: Infinity };
    yield* walkTree(db.root.trees[index], shape, {
      problem: () => {},
      datom: (datom) => {
        if (looked.has(bucketOf(datom)) && isCovered(datom)) held[index].add(show(datom));
      },
    });
  }
  const lacks = (index: Index, from: Index): readonly string[] =>
    [...held[from].difference(held[index])].map((datom) =>
      `lacks ${datom}, which is in ${from.toUpperCase()}`
    );
  const told = [
    ...lacks(other, one).map((what) => [other, what] as const),
    ...lacks(one, other).map((what) => [one, what] as const),
  ];
  for (const [index, what] of told.slice(0, TOLD_DATOMS)) tell(index.toUpperCase(), what);
  if (told.length <= TOLD_DATOMS && looked.size === buckets.size) return;
  tell(other.toUpperCase(), `and ${one.toUpperCase()} differ in more datoms than these`);
}
