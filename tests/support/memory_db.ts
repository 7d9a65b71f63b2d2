/** Databases whose stored nodes are in memory: empty, out of datoms, or a recorded graph. */
import assert from "node:assert/strict";
import type { Datom } from "../../datascript/datom.ts";
import { Db } from "../../datascript/db.ts";
import { decodeNode, type Node, type Ref } from "../../datascript/node.ts";
import { compareDatoms, type Index } from "../../datascript/order.ts";
import { openDb } from "../../datascript/root.ts";
import type { Schema } from "../../datascript/schema.ts";
import { NO_SOURCE, NodeMissing, type NodeSource } from "../../datascript/source.ts";
import { emptyRoot, type Root } from "../../datascript/stored.ts";
import { EMPTY_TREE, insert, type Tree } from "../../datascript/tree.ts";
import { readRows } from "./fixtures.ts";

/** Nodes at addresses. */
export class StoredNodes implements NodeSource {
  readonly #nodes = new Map<number, Node>();

  get(address: number): Node | undefined {
    return this.#nodes.get(address);
  }

  /** Puts a node and all below it at addresses of their own; answers the node's. */
  store(ref: Ref): number {
    if (typeof ref === "number") return ref;
    const stored = ref.children === undefined
      ? ref
      : { keys: ref.keys, children: ref.children.map((child) => this.store(child)) };
    const address = this.#nodes.size + 1;
    this.#nodes.set(address, stored);
    return address;
  }
}

/** Nodes of which only those are here that were loaded. */
export class LazyNodes implements NodeSource {
  readonly #stored: NodeSource;
  readonly #loaded = new Map<number, Node>();
  /** How many were loaded. */
  get count(): number {
    return this.#loaded.size;
  }

  constructor(stored: NodeSource) {
    this.#stored = stored;
  }

  get(address: number): Node | undefined {
    return this.#loaded.get(address);
  }

  /** Runs it, and loads what it lacks and runs it again, until it is done. */
  untilDone<Result>(run: () => Result): Result {
    for (;;) {
      try {
        return run();
      } catch (thrown) {
        if (!(thrown instanceof NodeMissing)) throw thrown;
        for (const address of thrown.addresses) {
          const node = this.#stored.get(address);
          assert.ok(node !== undefined, `${thrown}: there is none at ${address}`);
          assert.ok(!this.#loaded.has(address), `${thrown}: ${address} is loaded`);
          this.#loaded.set(address, node);
        }
      }
    }
  }
}

/** A tree in memory with these datoms. */
export function treeWith(index: Index, datoms: readonly Datom[], maxKeys: number): Tree {
  const edit = { source: NO_SOURCE, compare: compareDatoms[index], maxKeys };
  return datoms.reduce((tree, datom) => insert(edit, tree, datom), EMPTY_TREE);
}

export function emptyDb(schema: Schema): Db {
  return Db.open(emptyRoot(schema), NO_SOURCE);
}

/** The root of a database that holds these datoms, in nodes of at most `maxKeys`, and the nodes. */
export function stored(
  schema: Schema,
  datoms: readonly Datom[],
  maxKeys = 4,
): { readonly root: Root; readonly nodes: StoredNodes } {
  const nodes = new StoredNodes();
  const treeOf = (index: Index): Tree => {
    const held = index === "avet" ? datoms.filter(({ a }) => schema.isIndexed(a)) : datoms;
    const tree = treeWith(index, held, maxKeys);
    return { ...tree, root: nodes.store(tree.root) };
  };
  const root = emptyRoot(schema);
  return {
    root: {
      ...root,
      trees: { eavt: treeOf("eavt"), aevt: treeOf("aevt"), avet: treeOf("avet") },
      maxEid: Math.max(root.maxEid, ...datoms.map(({ e }) => e)),
      maxTx: Math.max(root.maxTx, ...datoms.map(({ tx }) => tx)),
    },
    nodes,
  };
}

/** A database of these datoms, all of them in stored nodes. */
export function storedDb(schema: Schema, datoms: readonly Datom[], maxKeys = 4): Db {
  const { root, nodes } = stored(schema, datoms, maxKeys);
  return Db.open(root, nodes);
}

/** The rows of a recorded graph, as the nodes that they are. */
export class FixtureNodes implements NodeSource {
  readonly root: string;
  readonly tail: string;
  readonly #rows: ReadonlyMap<number, { content: string; addresses: string | null }>;
  readonly #decoded = new Map<number, Node>();

  constructor(set: string) {
    this.#rows = new Map(
      readRows(set).map(([addr, content, addresses]) => [addr, { content, addresses }]),
    );
    this.root = this.#rows.get(0)?.content ?? "";
    this.tail = this.#rows.get(1)?.content ?? "";
  }

  get(address: number): Node | undefined {
    const decoded = this.#decoded.get(address);
    if (decoded !== undefined) return decoded;
    const row = this.#rows.get(address);
    if (row === undefined) return undefined;
    const node = decodeNode(row);
    this.#decoded.set(address, node);
    return node;
  }
}

/** A recorded graph as it was before its first batch. */
export function openFixture(set: string): Db {
  const nodes = new FixtureNodes(set);
  return openDb(nodes.root, nodes.tail, nodes);
}
