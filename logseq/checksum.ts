/**
 * Logseq's checksum of a graph (upstream.md §1.11): a sum over what its blocks and pages are, by which
 * two devices see whether they have the same. It depends on no order, so a transaction takes away
 * what its entities were before it, and adds what they are after it.
 */

import { type Datom, keywordOf } from "../datascript/datom.ts";
import type { Db } from "../datascript/db.ts";
import { ofEntities } from "../datascript/order.ts";
import type { TxReport } from "../datascript/report.ts";
import { forEachItem } from "../datascript/source.ts";
import { encode } from "../datascript/transit.ts";
import { Keyword, Uuid, type Value } from "../datascript/value.ts";
import {
  BUILT_IN,
  IDENT,
  KV_VALUE,
  NAME,
  ORDER,
  PAGE,
  PARENT,
  TAGS,
  TITLE,
  UUID,
} from "./attributes.ts";
import { digestOf, minus, plus, type Sum, ZERO } from "./digest.ts";

/** What is summed of an encrypted graph: its titles and names differ from device to device. */
const OF_ENCRYPTED: readonly string[] = [UUID, PARENT, PAGE, ORDER];
const OF_READABLE: readonly string[] = [...OF_ENCRYPTED, TITLE, NAME];

/** A change of any other attribute of an entity leaves what it adds as it is. */
const RELEVANT: ReadonlySet<string> = new Set([...OF_READABLE, TAGS, BUILT_IN]);

const E2EE_FLAG = "logseq.kv/graph-rtc-e2ee?";
/** Who is tagged with one of them is a page. */
const PAGE_CLASSES: readonly string[] = [
  "logseq.class/Page",
  "logseq.class/Journal",
  "logseq.class/Tag",
  "logseq.class/Property",
];

/** One entity that is summed, as texts by attribute. */
export interface SummedEntity {
  readonly uuid: string;
  readonly facts: readonly (readonly [a: string, text: string])[];
}

/** Whether titles and names are encrypted, and so left out. @throws {NodeMissing} */
export function isEncrypted(db: Db): boolean {
  return withIdent(db, E2EE_FLAG).some((e) => db.value(e, KV_VALUE) === true);
}

/** The attributes that the checksum covers. @throws {NodeMissing} */
export function summedAttributes(db: Db): readonly string[] {
  return isEncrypted(db) ? OF_ENCRYPTED : OF_READABLE;
}

/** Those of the entities with from ≤ eid < to that are summed. @throws {NodeMissing} */
export function summedEntities(db: Db, from: number, to: number): readonly SummedEntity[] {
  const summing = new Summing(db);
  const entities = Map.groupBy(db.datoms(ofEntities(from, to)), ({ e }) => e);
  return forEachItem(entities.values(), (datoms) => summing.entity(datoms))
    .flatMap((entity) => entity ?? []);
}

/** What such entities add to the sum. */
export function sumOf(entities: readonly SummedEntity[]): Sum {
  return entities.reduce((sum, { uuid, facts }) => {
    return facts.reduce((held, [a, text]) => plus(held, digestOf(uuid, `:${a}`, text)), sum);
  }, ZERO);
}

/** A transaction, or several, each on top of the one before. */
export type Change = Pick<TxReport, "before" | "after" | "datoms">;

/**
 * What a change adds to the sum; `undefined`: it has changed what is to be summed, so that only a new
 * sum over the whole graph tells.
 *
 * Cost: reads the blocks and pages that it is about, before and after, with their parents and pages;
 * of one that has another uuid its children too.
 *
 * @throws {NodeMissing} load the node and call again
 */
export function sumChange(change: Change): Sum | undefined {
  if (changesRules(change)) return undefined;
  const { before, after } = change;
  const [was, is] = [new Summing(before), new Summing(after)];
  return forEachItem(touched(change), (e) => minus(is.sum(e), was.sum(e))).reduce(plus, ZERO);
}

function changesRules({ before, after, datoms }: Change): boolean {
  const isFlag = (e: number): boolean =>
    [before, after].some((db) => withIdent(db, E2EE_FLAG).includes(e));
  return datoms.some(({ e, a, v }) =>
    a === IDENT && v instanceof Keyword &&
      (v.name === E2EE_FLAG || PAGE_CLASSES.includes(v.name)) ||
    a === KV_VALUE && isFlag(e)
  );
}

/** The entities that may be summed otherwise than before. */
function touched({ before, after, datoms }: Change): ReadonlySet<number> {
  const entities = new Set<number>();
  const renamed = new Set<number>();
  for (const { e, a } of datoms) {
    if (RELEVANT.has(a)) entities.add(e);
    // Nobody can refer to one that is new but by what the change says.
    if (a === UUID && e <= before.maxEid) renamed.add(e);
  }
  const referring = forEachItem(
    renamed,
    (e) =>
      [before, after].flatMap((db) =>
        [PARENT, PAGE].flatMap((a) => db.schema.isIndexed(a) ? db.entitiesWith(a, e) : [])
      ),
  );
  for (const e of referring.flat()) entities.add(e);
  return entities;
}

/** What entities of one database add. */
class Summing {
  readonly #db: Db;
  readonly #attributes: readonly string[];
  readonly #pageClasses: ReadonlySet<number>;
  readonly #uuids = new Map<number, string>();

  constructor(db: Db) {
    this.#db = db;
    this.#attributes = summedAttributes(db);
    this.#pageClasses = new Set(forEachItem(PAGE_CLASSES, (name) => withIdent(db, name)).flat());
  }

  sum(e: number): Sum {
    const entity = this.entity(this.#db.ofEntity(e));
    return entity === undefined ? ZERO : sumOf([entity]);
  }

  /** @param datoms all that the entity has */
  entity(datoms: readonly Datom[]): SummedEntity | undefined {
    const uuid = datoms.find(({ a }) => a === UUID)?.v;
    if (!(uuid instanceof Uuid) || !this.#isSummed(datoms)) return undefined;
    const facts = datoms.flatMap(({ a, v }) =>
      this.#attributes.includes(a) ? [[a, this.#text(a, v)] as const] : []
    );
    return { uuid: uuid.text, facts };
  }

  #isSummed(datoms: readonly Datom[]): boolean {
    if (datoms.some(({ a, v }) => a === BUILT_IN && v !== false)) return false;
    return datoms.some(({ a, v }) =>
      a === PAGE || a === NAME || a === TAGS && typeof v === "number" && this.#pageClasses.has(v)
    );
  }

  #text(a: string, v: Value): string {
    if ((a === PARENT || a === PAGE) && typeof v === "number") return this.#uuidOf(v);
    if (typeof v === "string") return v;
    return v instanceof Uuid ? v.text : encode(v);
  }

  #uuidOf(e: number): string {
    const known = this.#uuids.get(e);
    if (known !== undefined) return known;
    const uuid = this.#db.value(e, UUID);
    const text = uuid instanceof Uuid ? uuid.text : "";
    this.#uuids.set(e, text);
    return text;
  }
}

function withIdent(db: Db, name: string): readonly number[] {
  return db.entitiesWith(IDENT, keywordOf(name));
}
