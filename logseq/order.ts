/**
 * Order repair (datascript.md §5.2): two children of one parent must not have the same order, or
 * every device shows them as it likes. What a batch sets gives way to what is there.
 */

import { generateNKeysBetween } from "fractional-indexing";
import type { Db } from "../datascript/db.ts";
import type { Form } from "../datascript/forms.ts";
import type { TxReport } from "../datascript/report.ts";
import { forEachItem } from "../datascript/source.ts";
import { ORDER, PARENT } from "./attributes.ts";

/** For whose values it is looked who else has them. */
export const SOUGHT: readonly string[] = [PARENT, ORDER];

/** Blocks of a batch that have one parent and one order. */
interface Group {
  readonly parent: number;
  readonly order: string;
  readonly blocks: number[];
}

/**
 * Assertions of fresh orders for the blocks whose order the batch sets to one that is taken, or that
 * several of them have: between that order and the next greater one of a sibling, by ascending eid.
 * Blocks that the batch makes count too.
 */
export function orderRepairs({ after, datoms }: TxReport): readonly Form[] {
  const set = new Set(datoms.filter((datom) => datom.added && datom.a === ORDER).map((d) => d.e));
  const groups = groupsOf(after, [...set].sort((x, y) => x - y));
  const children = new Map<number, Children>();
  const takenBy = new Map<number, Orders>();
  const ordersOfGroup = ({ parent }: Group): Orders => {
    const known = takenBy.get(parent) ?? ordersOf(after, parent);
    takenBy.set(parent, known);
    return known;
  };
  const childrenOfGroup = ({ parent }: Group): Children => {
    const known = children.get(parent) ?? new Children(after, parent);
    children.set(parent, known);
    return known;
  };
  const clashing = forEachItem(
    groups,
    (group) =>
      group.blocks.length > 1 ||
        (after.schema.isIndexed(ORDER)
          ? isTaken(after, group, childrenOfGroup(group))
          : (ordersOfGroup(group).get(group.order) ?? 0) > 1)
        ? [group]
        : [],
  ).flat();
  const parents = new Set(clashing.map(({ parent }) => parent));
  const orders = new Map(
    forEachItem(parents, (parent) => [parent, ordersBelow(after, parent)] as const),
  );
  return clashing.flatMap((group) => freshOrders(group, orders.get(group.parent) ?? []));
}

function groupsOf(db: Db, blocks: readonly number[]): readonly Group[] {
  const groups = new Map<string, Group>();
  const places = forEachItem(blocks, (e) => ({
    e,
    parent: db.value(e, PARENT),
    order: db.value(e, ORDER),
  }));
  for (const { e, parent, order } of places) {
    if (typeof parent !== "number" || typeof order !== "string") continue;
    const key = `${parent} ${order}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { parent, order, blocks: [e] });
    else group.blocks.push(e);
  }
  return [...groups.values()];
}

/**
 * A parent's children by eid, as far as they have been looked for. Where a batch has removed many of
 * them, each look goes through all that are gone between two: for a thousand new orders it took seconds.
 */
class Children {
  readonly #db: Db;
  readonly #parent: number;
  /** From each `from` on `child` is the next one, or Infinity where there is none; ascending. */
  readonly #gaps: { from: number; readonly child: number }[] = [];

  constructor(db: Db, parent: number) {
    this.#db = db;
    this.#parent = parent;
  }

  /** The first child from this eid on. */
  from(e: number): number | undefined {
    const i = this.#gapAt(e);
    const gap = this.#gaps[i];
    if (gap !== undefined && gap.from <= e) return finite(gap.child);
    const child = this.#db.firstEntityWith(PARENT, this.#parent, e) ?? Infinity;
    if (gap?.child === child) gap.from = e;
    else this.#gaps.splice(i, 0, { from: e, child });
    return finite(child);
  }

  /** Index of the first gap that ends at this eid or after it. */
  #gapAt(e: number): number {
    return firstIndex(this.#gaps, ({ child }) => child >= e);
  }
}

function finite(e: number): number | undefined {
  return e === Infinity ? undefined : e;
}

/** How many children of a parent have each order. */
type Orders = ReadonlyMap<string, number>;

/** Of a graph whose orders nobody finds by their values: looked for one by one, 10,000 took minutes. */
function ordersOf(db: Db, parent: number): Orders {
  const orders = new Map<string, number>();
  for (const order of ordersBelow(db, parent)) orders.set(order, (orders.get(order) ?? 0) + 1);
  return orders;
}

/** Whether a child of the parent has the order that is not one of the group's; orders are indexed. */
function isTaken(db: Db, { order, blocks }: Group, children: Children): boolean {
  if (!db.schema.isIndexed(PARENT)) return false;
  // So that what is missing on the way to both is named at once.
  forEachItem(
    [() => children.from(0), () => db.firstEntityWith(ORDER, order, 0)],
    (look) => look(),
  );
  // Many blocks of a graph have one order, and some parents have many children: stepping through
  // both by turns reads neither list whole.
  for (let e: number | undefined = 0; e !== undefined;) {
    const child: number | undefined = children.from(e);
    e = child === undefined ? undefined : db.firstEntityWith(ORDER, order, child);
    if (e === undefined || e !== child) continue;
    if (!blocks.includes(e)) return true;
    e++;
  }
  return false;
}

function childrenOf(db: Db, parent: number): readonly number[] {
  return db.schema.isIndexed(PARENT) ? db.entitiesWith(PARENT, parent) : [];
}

/** The orders of all children, ascending. */
function ordersBelow(db: Db, parent: number): readonly string[] {
  return forEachItem(childrenOf(db, parent), (e) => db.value(e, ORDER))
    .filter((order) => typeof order === "string")
    .sort();
}

/** @param orders of all siblings, ascending */
function freshOrders({ order, blocks }: Group, orders: readonly string[]): readonly Form[] {
  const next = orders[firstIndex(orders, (other) => other > order)] ?? null;
  return keysBetween(order, next, blocks.length).flatMap((v, i) => {
    const eid = blocks[i];
    return eid === undefined ? [] : [{ op: "add", e: { kind: "eid", eid }, a: ORDER, v } as const];
  });
}

/** Index of the first item that passes, or the length; ascending: all that follow it pass too. */
function firstIndex<Item>(items: readonly Item[], passes: (item: Item) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item === undefined || passes(item)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function keysBetween(order: string, next: string | null, count: number): readonly string[] {
  try {
    return generateNKeysBetween(order, next, count);
  } catch {
    // An order that is no fractional index (a client's own): there is nothing between such.
    return [];
  }
}
