/**
 * Trees held against their invariants (tree.ts), node by node in order, with a few nodes in memory
 * at a time: a walk names the nodes that it needs next, and whoever drives it brings them.
 */

import type { Datom } from "./datom.ts";
import type { Node, Ref } from "./node.ts";
import type { CompareDatoms } from "./order.ts";
import type { Tree } from "./tree.ts";

/**
 * Yields refs whose nodes it needs, all children of a branch at once. It is to be given the nodes in
 * the same order; `undefined` for one that can't be had, and then it goes on without it.
 */
export type Walk<Result> = Generator<readonly Ref[], Result, readonly (Node | undefined)[]>;

/** Where a node is in its tree. */
export interface NodePlace {
  readonly ref: Ref;
  /** The indexes on the way down from the root: `/0/3`; empty for the root. */
  readonly path: string;
}

/** What a walk tells as it goes. */
export interface Listener {
  /** @param what goes on from the node's name: "has 5 keys" */
  readonly problem: (at: NodePlace, what: string) => void;
  /** Each datom of the leaves, in their order. */
  readonly datom: (datom: Datom, at: NodePlace) => void;
}

/** What a tree shall be like. */
export interface TreeShape {
  readonly compare: CompareDatoms;
  /** Of all nodes but the root. */
  readonly minKeys: number;
  readonly maxKeys: number;
}

/** What a walk has come upon. */
export interface Walked {
  /** Datoms in the leaves. */
  readonly count: number;
  /** No node was missing on the way. */
  readonly whole: boolean;
}

/** Goes through a tree. Its `count` is the caller's to compare. */
export function* walkTree(tree: Tree, shape: TreeShape, listener: Listener): Walk<Walked> {
  const { compare, minKeys, maxKeys } = shape;
  let count = 0;
  let missing = 0;
  let last: Datom | undefined;

  function* visit(node: Node, at: NodePlace, level: number): Walk<void> {
    const { keys, children } = node;
    const least = at.path !== "" ? minKeys : children === undefined ? 0 : 2;
    if (keys.length < least || keys.length > maxKeys) {
      listener.problem(at, `has ${keys.length} keys`);
    }
    if ((children === undefined) !== (level === 0)) {
      listener.problem(at, `ends at level ${level}`);
    }
    if (children === undefined) return keys.forEach((key, i) => visitDatom(key, at, i));
    // Levels end, also where a branch refers to one above it.
    if (level <= 0) return void missing++;
    const nodes = yield children;
    for (const [i, key] of keys.entries()) {
      const [ref, child] = [children[i], nodes[i]];
      if (ref === undefined || child === undefined) {
        missing++;
        continue;
      }
      const missed = missing;
      yield* visit(child, { ref, path: `${at.path}/${i}` }, level - 1);
      if (missing === missed && (last === undefined || compare(key, last) !== 0)) {
        listener.problem(at, `has a key ${i} that is not the greatest below it`);
      }
    }
  }

  function visitDatom(datom: Datom, at: NodePlace, i: number): void {
    if (last !== undefined && compare(last, datom) >= 0) {
      listener.problem(at, `has a key ${i} that does not follow the one before it`);
    }
    last = datom;
    count++;
    listener.datom(datom, at);
  }

  const [root] = yield [tree.root];
  if (root === undefined) return { count: 0, whole: false };
  yield* visit(root, { ref: tree.root, path: "" }, tree.shift);
  return { count, whole: missing === 0 };
}

/** Drives a walk whose nodes can be had at once. */
export function drive<Result>(
  walk: Walk<Result>,
  bring: (refs: readonly Ref[]) => readonly (Node | undefined)[],
): Result {
  let step = walk.next();
  while (!step.done) step = walk.next(bring(step.value));
  return step.value;
}
