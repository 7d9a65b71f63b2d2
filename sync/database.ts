/**
 * The databases of graphs: opened at a head, kept while they are used, and caught up with what other
 * processes wrote. The engine is synchronous; here it gets the nodes that it lacks.
 */
import { LRUCache } from "lru-cache";
import { Db } from "../datascript/db.ts";
import { rebased } from "../datascript/draft.ts";
import { decodeNode, encodeNode } from "../datascript/node.ts";
import { decodeTailTx, EMPTY_TAIL, encodeRoot, openDb, withTailTx } from "../datascript/root.ts";
import { NodeMissing } from "../datascript/source.ts";
import { emptyRoot, type Root } from "../datascript/stored.ts";
import type { Head } from "../kv/head.ts";
import { lastAddr, readRowsEach, type Row } from "../kv/rows.ts";
import { readTail } from "../kv/txlog.ts";
import { LOGSEQ_SCHEMA } from "../logseq/schema.ts";
import { type Addr, type GraphId, parseAddr, ROOT_ADDR, T_ZERO } from "../protocol/ids.ts";
import { hasSameBase, hasSameRows, readBase } from "./base.ts";
import { CachedNodes, type NodeCache } from "./node_cache.ts";
import { ReadAhead } from "./read_ahead.ts";

/** Databases kept open take at most about this much memory beside their nodes. */
const OPEN_BYTES = 128 * 1024 * 1024;
/** Of a database: its schema; of each datom of its overlay: the datom, three times in a tree. */
const BYTES_PER_DB = 500_000;
const BYTES_PER_OVERLAY_DATOM = 600;

/** Characters of rows after which no more are loaded at once. */
const LOAD_LENGTH = 4 * 1024 * 1024;

/** Graphs whose last commit is remembered. */
const MAX_COMMITS = 10_000;

/** A graph's database at a head. */
export interface OpenDb {
  readonly head: Head;
  readonly db: Db;
  /** The nodes of `db`. */
  readonly nodes: CachedNodes;
  readonly readAhead?: ReadAhead;
  /**
   * Rows that make an empty graph a database, to be stored with its first batch: until then it has
   * no root row.
   */
  readonly founding: readonly Row[];
}

/** A row that the tree refers to is not there: an import that has not ended, or a fault of ours. */
export class RowMissingError extends Error {
  override readonly name: string = "RowMissingError";
}

export class Databases {
  readonly #kv: Deno.Kv;
  readonly #nodes: NodeCache;
  readonly #open = new LRUCache<string, OpenDb>({ maxSize: OPEN_BYTES });
  readonly #commits = new LRUCache<GraphId, Head>({ max: MAX_COMMITS });
  /** What is read while nobody waits for it: of one graph after the other, as each takes some MB. */
  #beside: Promise<void> = Promise.resolve();

  constructor(kv: Deno.Kv, nodes: NodeCache) {
    this.#kv = kv;
    this.#nodes = nodes;
  }

  /**
   * The graph's database at this head.
   *
   * Cost: nothing for the head that it was last opened or committed at; one read of the tail since
   * then if others moved the head; else root, tail row and the whole tail.
   *
   * @throws {CorruptRowError | TransitError | CorruptValueError | CorruptLogError}
   */
  async open(head: Head): Promise<OpenDb> {
    const kept = this.#open.get(head.graph);
    const usable = kept !== undefined && kept.head.t <= head.t && hasSameBase(kept.head, head);
    if (usable && kept.head.t === head.t) return { ...kept, head };
    const start = usable ? kept : await this.#openRows(head);
    const since = usable ? kept.head.t : head.flushed;
    let { db } = start;
    for await (const entry of readTail(this.#kv, head.graph, head.log, since, head.t)) {
      // Also a batch that changed nothing was a transaction.
      db = withTailTx(db, decodeTailTx(entry.transit)).withMaxTx(db.maxTx + 1);
    }
    const opened = { ...start, head, db };
    // One without rows has its nodes in memory alone: with its first batch it is opened anew.
    return opened.founding.length > 0 ? opened : this.#keep(opened);
  }

  /** The head that the graph was last opened or committed at here; others may have moved it since. */
  lastHead(graph: GraphId): Head | undefined {
    return this.#open.peek(graph)?.head;
  }

  /** The head that the last commit of this process made; another object with each. */
  lastCommit(graph: GraphId): Head | undefined {
    return this.#commits.get(graph);
  }

  /** A commit of this process made this the graph's database. */
  committed(open: OpenDb): void {
    this.#commits.set(open.head.graph, open.head);
    // See `open`.
    if (open.founding.length === 0) this.#keep(open);
  }

  /** A flush of this process made these the graph's trees: the next batch needn't open them. */
  flushed(head: Head, root: Root): void {
    const kept = this.#open.get(head.graph);
    // Where others have moved the head meanwhile, it is opened anew.
    if (kept?.head.t !== head.t || kept.head.log !== head.log) return;
    if (!hasSameRows(kept.head, head)) return;
    this.#keep({ ...kept, head, db: rebased(kept.db, root, kept.nodes) });
  }

  /** What `open` gives for this head from now on. */
  #keep(open: OpenDb): OpenDb {
    const size = BYTES_PER_DB + open.db.overlaySize * BYTES_PER_OVERLAY_DATOM;
    this.#open.set(open.head.graph, open, { size });
    return open;
  }

  /**
   * Runs pure work on a database, again whenever a node that it named has been loaded.
   *
   * @param ahead names nodes that the work is going to ask for: once one is missing, these are loaded
   *   first, many at once, until there are none; what the graph's ReadAhead has to read, too
   * @throws what the work throws, and what reading rows throws
   */
  async run<Result>(
    { head, nodes, readAhead }: OpenDb,
    work: () => Result,
    ahead?: () => ReadonlySet<number>,
  ): Promise<Result> {
    try {
      if (ahead !== undefined) {
        const done = tryWork(work);
        if (done !== undefined) return done.result;
        if (!await readAhead?.whole()) {
          readAhead?.beside((work) => this.#beside = this.#beside.then(work));
          await this.#loadAhead(head, nodes, ahead);
        }
      }
      return await this.runOn(head, nodes, work);
    } finally {
      nodes.unpin();
    }
  }

  /** The same on a head's nodes that stay pinned. */
  async runOn<Result>(head: Head, nodes: CachedNodes, work: () => Result): Promise<Result> {
    for (;;) {
      try {
        return work();
      } catch (thrown) {
        if (!(thrown instanceof NodeMissing)) throw thrown;
        await this.#load(head, nodes, thrown.addresses);
      }
    }
  }

  /** Settles when nothing is read any more that nobody waits for. */
  idle(): Promise<void> {
    return this.#beside;
  }

  /** The nodes of a head's rows, none of them pinned. */
  nodesOf(head: Head): CachedNodes {
    return new CachedNodes(this.#nodes, head);
  }

  async #openRows(head: Head): Promise<OpenDb> {
    const nodes = this.nodesOf(head);
    const { t, root, tail } = await readBase(this.#kv, head, head.flushed);
    if (t !== head.flushed) {
      throw new RowMissingError(
        `Cannot open ${head.graph} as its root of t ${head.flushed} is missing`,
      );
    }
    if (root === undefined) {
      // The first batch stores one: without it the graph is damaged, and not empty.
      if (head.t !== T_ZERO) {
        throw new RowMissingError(`Cannot open ${head.graph} as its root is missing`);
      }
      return await this.#found(head, nodes);
    }
    const db = openDb(root.content, tail?.content ?? EMPTY_TAIL, nodes);
    const readAhead = new ReadAhead(this.#kv, head, db.root, nodes);
    return { head, db, nodes, readAhead, founding: [] };
  }

  /** A database of no datoms, and the rows that say so: a root, and an empty leaf for each tree. */
  async #found(head: Head, nodes: CachedNodes): Promise<OpenDb> {
    const empty = emptyRoot(LOGSEQ_SCHEMA);
    const last = await lastAddr(this.#kv, head.graph, head.rows) ?? 0;
    const eavt = Math.max(empty.maxAddr, last) + 1;
    const addresses = { eavt, aevt: eavt + 1, avet: eavt + 2 };
    const root: Root = { ...empty, maxAddr: addresses.avet };
    const founding = [
      { addr: ROOT_ADDR, content: encodeRoot(root, addresses), addresses: null },
      ...Object.values(addresses).map((address) => ({ addr: addrOf(address), ...encodeNode([]) })),
    ];
    return { head, db: Db.open(root, nodes), nodes, founding };
  }

  async #loadAhead(
    head: Head,
    nodes: CachedNodes,
    ahead: () => ReadonlySet<number>,
  ): Promise<void> {
    for (let wanted = ahead(); wanted.size > 0; wanted = ahead()) {
      await this.#load(head, nodes, [...wanted]);
    }
  }

  /**
   * Reads nodes, and pins them. Of long ones it reads some: whoever wants more than fits into memory may
   * want fewer then.
   *
   * @throws {RowMissingError | CorruptRowError | CorruptValueError}
   */
  async #load(head: Head, nodes: CachedNodes, addresses: readonly number[]): Promise<void> {
    const wanted = new Set(addresses);
    let length = 0;
    for await (const row of readRowsEach(this.#kv, head.graph, head.rows, addresses.map(addrOf))) {
      nodes.add(row.addr, decodeNode(row), row.content.length);
      wanted.delete(row.addr);
      length += row.content.length;
      if (length > LOAD_LENGTH) return;
    }
    for (const address of wanted) {
      throw new RowMissingError(`Cannot open ${head.graph} as row ${address} is missing`);
    }
  }
}

/** What the work answers, or `undefined` where a node is missing. */
function tryWork<Result>(work: () => Result): { readonly result: Result } | undefined {
  try {
    return { result: work() };
  } catch (thrown) {
    if (!(thrown instanceof NodeMissing)) throw thrown;
    return undefined;
  }
}

/** A node's address as a row's. @throws {RowMissingError} */
export function addrOf(address: number): Addr {
  const addr = parseAddr(address);
  if (addr === undefined) throw new RowMissingError(`Cannot read a row at address ${address}`);
  return addr;
}
