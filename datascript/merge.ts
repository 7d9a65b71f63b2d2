/**
 * Many facts into a stored tree in one pass, copy on write: whoever reads the old tree goes on reading
 * it. Fact by fact it took ten times as long, as each made the nodes on its way anew.
 */

import { Datom } from "./datom.ts";
import type { Branch, Leaf, Node, Ref } from "./node.ts";
import type { CompareDatoms } from "./order.ts";
import { forEachItem, nodeAt, type NodeSource } from "./source.ts";
import { EMPTY_LEAF, type Tree, type TreeRules } from "./tree.ts";

/**
 * The tree with these facts in it: each takes the place of those that are stored, or takes them away
 * where it is not `added`. A node that holds them all as they are keeps its address.
 *
 * @param rules of which `compare` leaves out a datom's `tx`
 * @param facts ascending, each once
 * @throws {NodeMissing} of each level all at once, then the neighbours of those that got too few keys
 */
export function merge(rules: TreeRules, tree: Tree, facts: readonly Datom[]): Tree {
  const pass = new Pass(rules);
  const refs = pass.into(tree.root, facts);
  const [only] = refs;
  if (refs.length === 1 && only === tree.root) return tree;
  return { ...pass.under(refs, tree.shift), count: tree.count + pass.more };
}

/** A node and its greatest datom, as a branch holds them. */
interface Entry {
  readonly key: Datom;
  readonly ref: Ref;
}

class Pass {
  readonly #source: NodeSource;
  readonly #compare: CompareDatoms;
  readonly #maxKeys: number;
  /** How many datoms there are more than before. */
  more = 0;

  constructor({ source, compare, maxKeys }: TreeRules) {
    this.#source = source;
    this.#compare = compare;
    this.#maxKeys = maxKeys;
  }

  /** What comes in a node's place: itself, or new ones; none, or one that has too few keys. */
  into(ref: Ref, facts: readonly Datom[]): readonly Ref[] {
    const node = nodeAt(this.#source, ref);
    const nodes = node.children === undefined
      ? this.#intoLeaf(node, facts)
      : this.#intoBranch(node, facts);
    return nodes ?? [ref];
  }

  /** One root over them all. */
  under(refs: readonly Ref[], shift: number): Pick<Tree, "root" | "shift"> {
    if (refs.length > 1) {
      return this.under(this.#branches(refs.flatMap((ref) => this.#entryOf(ref))), shift + 1);
    }
    const [root = EMPTY_LEAF] = refs;
    const { children } = nodeAt(this.#source, root);
    const [only] = children ?? [];
    if (children === undefined) return { root, shift: 0 };
    return children.length === 1 && only !== undefined
      ? this.under([only], shift - 1)
      : { root, shift };
  }

  /** `undefined`: the leaf stays as it is. */
  #intoLeaf({ keys }: Leaf, facts: readonly Datom[]): readonly Leaf[] | undefined {
    const merged: Datom[] = [];
    let isSame = true;
    let i = 0;
    for (const fact of facts) {
      let order = -1;
      for (let key = keys[i]; key !== undefined; key = keys[++i]) {
        order = this.#compare(key, fact);
        if (order >= 0) break;
        merged.push(key);
      }
      const start = i;
      while (order === 0) {
        const next = keys[++i];
        order = next === undefined ? 1 : this.#compare(next, fact);
      }
      const isThere = i - start === 1 && fact.added && keys[start]?.tx === fact.tx;
      if (fact.added) merged.push(fact);
      if (!isThere && (fact.added || i > start)) isSame = false;
    }
    if (isSame) return undefined;
    for (; i < keys.length; i++) {
      const key = keys[i];
      if (key !== undefined) merged.push(key);
    }
    this.more += merged.length - keys.length;
    return this.#cut(merged).map((some) => ({ keys: some }));
  }

  #intoBranch(branch: Branch, facts: readonly Datom[]): readonly Branch[] | undefined {
    const shares = this.#shares(branch, facts);
    const merged = new Map(
      forEachItem(shares, ([child, share]) => [child, this.into(child, share)] as const),
    );
    const stays = [...merged].every(([child, [only, ...others]]) =>
      only === child && others.length === 0
    );
    if (stays) return undefined;
    const entries = branch.children.flatMap((child, i): readonly Entry[] => {
      const refs = merged.get(child) ?? [child];
      const [only] = refs;
      const key = branch.keys[i];
      return refs.length === 1 && only === child && key !== undefined
        ? [{ key, ref: child }]
        : refs.flatMap((ref) => this.#entryOf(ref));
    });
    return this.#branches(this.#mended(entries));
  }

  /** The children that get facts, and which. */
  #shares({ keys, children }: Branch, facts: readonly Datom[]): readonly [Ref, readonly Datom[]][] {
    const shares: [Ref, readonly Datom[]][] = [];
    /**
     * A fact that was the greatest of the child before: it may stand here again, of another tx, and
     * be all that this child holds.
     */
    let again: Datom | undefined;
    let start = 0;
    for (const [i, child] of children.entries()) {
      // What is behind the last key comes into the last child.
      const key = i < children.length - 1 ? keys[i] : undefined;
      const end = key === undefined ? facts.length : this.#endOf(facts, start, key);
      const share = facts.slice(start, end);
      start = end;
      if (again !== undefined) share.unshift(again);
      const last = share.at(-1);
      if (last === undefined) continue;
      shares.push([child, share]);
      again = key !== undefined && this.#compare(last, key) === 0
        ? new Datom(last.e, last.a, last.v, last.tx, false)
        : undefined;
    }
    return shares;
  }

  /** Index of the first fact from `start` on that is behind the key. */
  #endOf(facts: readonly Datom[], start: number, key: Datom): number {
    for (let i = start;; i++) {
      const fact = facts[i];
      if (fact === undefined || this.#compare(fact, key) > 0) return i;
    }
  }

  /** None of them with too few keys, unless it is the only one. */
  #mended(entries: readonly Entry[]): readonly Entry[] {
    this.#needNeighbours(entries);
    const mended: Entry[] = [];
    /** One without a neighbour before it, that waits for the one behind it. */
    let short: Ref | undefined;
    for (const entry of entries) {
      const before = this.#isShort(entry.ref) ? mended.pop()?.ref : undefined;
      const left = short ?? before;
      short = undefined;
      const refs = left === undefined ? [entry.ref] : this.#joined(left, entry.ref);
      const [only] = refs;
      if (mended.length === 0 && refs.length === 1 && only !== undefined && this.#isShort(only)) {
        short = only;
      } else if (only === entry.ref) mended.push(entry);
      else mended.push(...refs.flatMap((ref) => this.#entryOf(ref)));
    }
    return short === undefined ? mended : this.#entryOf(short);
  }

  /** @throws {NodeMissing} all that those with too few keys are going to be joined with */
  #needNeighbours(entries: readonly Entry[]): void {
    const neighbours = entries.flatMap(({ ref }, i) =>
      this.#isShort(ref) ? entries[i > 0 ? i - 1 : 1] ?? [] : []
    );
    forEachItem(neighbours, ({ ref }) => nodeAt(this.#source, ref));
  }

  /** Only new nodes can be. */
  #isShort(ref: Ref): boolean {
    return typeof ref !== "number" && ref.keys.length < this.#maxKeys >>> 1;
  }

  /** Two neighbours of one level as one node, or two. */
  #joined(left: Ref, right: Ref): readonly Node[] {
    const [x, y] = forEachItem([left, right], (ref) => nodeAt(this.#source, ref));
    if (x === undefined || y === undefined) return [];
    if (x.children === undefined || y.children === undefined) {
      return this.#cut([...x.keys, ...y.keys]).map((keys) => ({ keys }));
    }
    // What was the only child of one may have too few keys, and has neighbours now.
    return this.#branches(this.#mended([...entriesOf(x), ...entriesOf(y)]));
  }

  #branches(entries: readonly Entry[]): readonly Branch[] {
    return this.#cut(entries).map((some) => ({
      keys: some.map(({ key }) => key),
      children: some.map(({ ref }) => ref),
    }));
  }

  /** Into as few parts as can be, all about as long. */
  #cut<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
    const count = Math.ceil(items.length / this.#maxKeys);
    return Array.from({ length: count }, (_, i) =>
      items.slice(
        Math.floor(items.length * i / count),
        Math.floor(items.length * (i + 1) / count),
      ));
  }

  #entryOf(ref: Ref): readonly Entry[] {
    const key = nodeAt(this.#source, ref).keys.at(-1);
    return key === undefined ? [] : [{ key, ref }];
  }
}

function entriesOf({ keys, children }: Branch): readonly Entry[] {
  return children.flatMap((ref, i) => {
    const key = keys[i];
    return key === undefined ? [] : [{ key, ref }];
  });
}
