/** Decoded nodes of all graphs in memory, up to a number of bytes; the least recently used go first. */
import { LRUCache } from "lru-cache";
import type { Node } from "../datascript/node.ts";
import type { NodeSource } from "../datascript/source.ts";
import type { Head } from "../kv/head.ts";

/** Default bound for a process. */
export const NODE_CACHE_BYTES = 64 * 1024 * 1024;

/** A decoded node takes about this many bytes for each character of its content, and some more. */
const BYTES_PER_CHARACTER = 4;
const BYTES_PER_NODE = 500;

/** Which rows these are: another import into them may have put others in their place. */
export type RowsId = string;

export function rowsIdOf({ rows, rowsVersion }: Head): RowsId {
  return `${rows}/${rowsVersion}`;
}

/** A node that is kept: the cache's own key, since to make a text for each look-up took 10 % of a batch. */
interface Place {
  readonly rows: RowsId;
  readonly address: number;
  node: Node;
  /** How many nodes had come when it was last asked for. */
  usedAt: number;
}

export class NodeCache {
  /** All that `#used` holds. */
  readonly #places = new Map<RowsId, Map<number, Place>>();
  /** Which to let go, and when. */
  readonly #used: LRUCache<Place, true>;
  #come = 0;

  constructor(maxBytes: number = NODE_CACHE_BYTES) {
    this.#used = new LRUCache({
      maxSize: maxBytes,
      disposeAfter: (_, place, reason) => {
        if (reason !== "set") this.#forget(place);
      },
    });
  }

  /** @param contentLength characters of the row it was decoded from */
  set(rows: RowsId, address: number, node: Node, contentLength: number): void {
    const size = contentLength * BYTES_PER_CHARACTER + BYTES_PER_NODE;
    const usedAt = ++this.#come;
    const place = this.#places.get(rows)?.get(address) ?? { rows, address, node, usedAt };
    [place.node, place.usedAt] = [node, usedAt];
    this.#used.set(place, true, { size });
    // One that alone is too large is not kept.
    if (this.#used.has(place)) this.#placesOf(rows).set(address, place);
  }

  get(rows: RowsId, address: number): Node | undefined {
    const place = this.#places.get(rows)?.get(address);
    if (place === undefined) return undefined;
    // Only a node that comes makes another go: between two who was used last makes no difference.
    if (place.usedAt !== this.#come) {
      place.usedAt = this.#come;
      this.#used.get(place);
    }
    return place.node;
  }

  #placesOf(rows: RowsId): Map<number, Place> {
    const known = this.#places.get(rows);
    if (known !== undefined) return known;
    const places = new Map<number, Place>();
    this.#places.set(rows, places);
    return places;
  }

  #forget({ rows, address }: Place): void {
    const places = this.#places.get(rows);
    places?.delete(address);
    if (places?.size === 0) this.#places.delete(rows);
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

  /** For the cache to keep or not. */
  offer(address: number, node: Node, contentLength: number): void {
    this.#cache.set(this.#rows, address, node, contentLength);
  }

  /** From now on only the cache keeps nodes. */
  unpin(): void {
    this.#pinned.clear();
  }
}
