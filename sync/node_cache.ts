/** Decoded nodes of all graphs in memory, up to a number of bytes; the least recently used go first. */
import { LRUCache } from "lru-cache";
import type { Node } from "../datascript/node.ts";
import type { NodeSource } from "../datascript/source.ts";
import type { Head } from "../kv/head.ts";

/** Default bound for a process. */
export const NODE_CACHE_BYTES = 128 * 1024 * 1024;

/** A decoded node takes about this many bytes for each character of its content, and some more. */
const BYTES_PER_CHARACTER = 4;
const BYTES_PER_NODE = 500;

/** Which rows these are: another import into them may have put others in their place. */
export type RowsId = string;

export function rowsIdOf({ rows, rowsVersion }: Head): RowsId {
  return `${rows}/${rowsVersion}`;
}

export class NodeCache {
  readonly #nodes: LRUCache<string, Node>;

  constructor(maxBytes: number = NODE_CACHE_BYTES) {
    this.#nodes = new LRUCache({ maxSize: maxBytes });
  }

  /** @param contentLength characters of the row it was decoded from */
  set(rows: RowsId, address: number, node: Node, contentLength: number): void {
    const size = contentLength * BYTES_PER_CHARACTER + BYTES_PER_NODE;
    this.#nodes.set(`${rows}/${address}`, node, { size });
  }

  get(rows: RowsId, address: number): Node | undefined {
    return this.#nodes.get(`${rows}/${address}`);
  }
}

/** The nodes of one graph's rows as the engine asks for them. */
export class CachedNodes implements NodeSource {
  readonly #cache: NodeCache;
  readonly #rows: RowsId;
  readonly #pinned = new Map<number, Node>();

  constructor(cache: NodeCache, rows: RowsId) {
    this.#cache = cache;
    this.#rows = rows;
  }

  get(address: number): Node | undefined {
    return this.#pinned.get(address) ?? this.#cache.get(this.#rows, address);
  }

  /** Keeps a node, for now even if the cache does not: whoever asked for it has to find it. */
  add(address: number, node: Node, contentLength: number): void {
    this.#pinned.set(address, node);
    this.#cache.set(this.#rows, address, node, contentLength);
  }

  /** From now on only the cache keeps nodes. */
  unpin(): void {
    this.#pinned.clear();
  }
}
