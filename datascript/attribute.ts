/**
 * Attributes as trees are sorted by them. Nearly every step of a search compares two, so each has a
 * number for it, which follows its order as a keyword.
 */

import { compareText, sortKey } from "./compare.ts";
import { Keyword } from "./value.ts";

export class Attribute {
  readonly keyword: Keyword;
  readonly sortKey: string;
  /** Ascends as the sort keys do; NaN for one that has none. */
  rank = NaN;

  /** @param name without a colon: `block/uuid` */
  constructor(readonly name: string) {
    this.keyword = new Keyword(name);
    this.sortKey = sortKey(name);
  }
}

/**
 * Clients choose the names, so what is kept of them has a bound. Those that come first are ranked, and
 * stay: Logseq's own, which all graphs have, are among them. Others are shared as long as they are few.
 */
const MAX_RANKED = 10_000;
const MAX_OTHERS = 10_000;

/** One object for each: a graph has millions of datoms and some hundred attributes. */
const ranked = new Map<string, Attribute>();
const others = new Map<string, Attribute>();
/** The ranked ones by sort key. */
const ordered: Attribute[] = [];

/** The attribute of this name; mostly the same object each time. */
export function attributeOf(name: string): Attribute {
  const known = ranked.get(name) ?? others.get(name);
  if (known !== undefined) return known;
  const attribute = new Attribute(name);
  if (ranked.size < MAX_RANKED) {
    ranked.set(name, attribute);
    giveRank(attribute);
  } else {
    if (others.size >= MAX_OTHERS) others.clear();
    others.set(name, attribute);
  }
  return attribute;
}

/** As keywords compare. */
export function compareAttributes(x: Attribute, y: Attribute): number {
  if (x === y) return 0;
  const order = x.rank - y.rank;
  return Number.isNaN(order) ? compareText(x.sortKey, y.sortKey) : order;
}

/** Gives an attribute a place, and a rank between those beside it. */
function giveRank(attribute: Attribute): void {
  const i = placeOf(attribute.sortKey);
  const [before, after] = [ordered[i - 1], ordered[i]];
  ordered.splice(i, 0, attribute);
  if (after?.sortKey === attribute.sortKey) {
    attribute.rank = after.rank;
    return;
  }
  const low = before?.rank ?? (after?.rank ?? 0) - 2;
  const high = after?.rank ?? low + 2;
  attribute.rank = (low + high) / 2;
  if (attribute.rank <= low || attribute.rank >= high) rankAnew();
}

/** The order stays, so whoever is searching meanwhile sees no difference. */
function rankAnew(): void {
  let rank = 0;
  let last: string | undefined;
  for (const attribute of ordered) {
    if (attribute.sortKey !== last) rank++;
    attribute.rank = rank;
    last = attribute.sortKey;
  }
}

/** Index of the first that is not before this sort key. */
function placeOf(key: string): number {
  let low = 0;
  let high = ordered.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareText(ordered[middle]?.sortKey ?? "", key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
