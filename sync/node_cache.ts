/** Nodes of all graphs in memory, up to a number of bytes; the least recently used go first. */
import { LRUCache } from "lru-cache";
import { decodeNode, type Node } from "../datascript/node.ts";
import type { NodeSource } from "../datascript/source.ts";
import type { Head } from "../kv/head.ts";
import { parseRowJson, type RowJson } from "../kv/rows.ts";
import type { Generation, GraphId } from "../protocol/ids.ts";

/** A decoded node takes about this many bytes for each character of its content, and some more. */
const BYTES_PER_CHARACTER = 4;
const BYTES_PER_NODE = 500;

/** A node counts as just used until so many others have come: to tell the cache was 5 % of a batch. */
const USES_KEPT = 100;

/** Which rows these are: another import into them may have put others in their place. */
export type RowsId = string;

export function rowsIdOf({ rows, rowsVersion }: Head): RowsId {
  return `${rows}/${rowsVersion}`;
}

/** A node that is kept: the cache's own key, since to make a text for each look-up took 10 % of a batch. */
interface Place {
  readonly rows: RowsId;
  readonly address: number;
  /** One of the two. */
  node: Node | undefined;
  row: RowJson | undefined;
  /** How many nodes had come when it was last asked for. */
  usedAt: number;
}

type Places = Map<number, Place>;

export class NodeCache {
  /** All that `#used` holds. */
  readonly #places = new Map<RowsId, Places>();
  /** Which to let go, and when. */
  readonly #used: LRUCache<Place, true>;
  #come = 0;

  constructor(maxBytes: number) {
    this.#used = new LRUCache({
      maxSize: maxBytes,
      disposeAfter: (_, place, reason) => {
        if (reason !== "set") this.#forget(place);
      },
    });
  }

  /** Bytes. */
  get capacity(): number {
    return this.#used.maxSize;
  }

  /** @param contentLength characters of the row it was decoded from */
  set(rows: RowsId, address: number, node: Node, contentLength: number): void {
    const size = contentLength * BYTES_PER_CHARACTER + BYTES_PER_NODE;
    this.#set({ rows, address, node, row: undefined }, size);
  }

  /** A node as its row, until it is asked for. Nothing where it is kept already. */
  setRow(rows: RowsId, row: RowJson): void {
    if (this.#places.get(rows)?.has(row.addr)) return;
    const size = row.json.length + BYTES_PER_NODE;
    this.#set({ rows, address: row.addr, node: undefined, row }, size);
  }

  /** The nodes of these rows, as long as there are any. */
  placesOf(rows: RowsId): ReadonlyMap<number, Place> | undefined {
    return this.#places.get(rows);
  }

  /** Somebody asks for it. */
  use(place: Place): void {
    // Only nodes that come make others go: before some have, who was used last makes no difference.
    if (this.#come - place.usedAt < USES_KEPT) return;
    place.usedAt = this.#come;
    this.#used.get(place);
  }

  delete(rows: RowsId, address: number): void {
    const place = this.#places.get(rows)?.get(address);
    if (place !== undefined) this.#used.delete(place);
  }

  #set(what: Omit<Place, "usedAt">, size: number): void {
    const { rows, address } = what;
    const usedAt = ++this.#come;
    const place = this.#places.get(rows)?.get(address) ?? { ...what, usedAt };
    [place.node, place.row, place.usedAt] = [what.node, what.row, usedAt];
    this.#used.set(place, true, { size });
    // One that alone is too large is not kept, nor is it any more if it was small enough as a row.
    if (this.#used.has(place)) this.#placesFor(rows).set(address, place);
    else this.#forget(place);
  }

  #placesFor(rows: RowsId): Places {
    const known = this.#places.get(rows);
    if (known !== undefined) return known;
    const places: Places = new Map();
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
  readonly #graph: GraphId;
  readonly #generation: Generation;
  readonly #pinned = new Map<number, Node>();
  #pinnedLength = 0;
  #places: ReadonlyMap<number, Place> | undefined;

  constructor(cache: NodeCache, head: Head) {
    this.#cache = cache;
    this.#rows = rowsIdOf(head);
    this.#graph = head.graph;
    this.#generation = head.rows;
  }

  /** @throws {CorruptRowError | CorruptValueError | TransitError} the row that is kept is no node */
  get(address: number): Node | undefined {
    const place = this.#places?.get(address) ?? this.#sought(address);
    if (place === undefined) return this.#pinned.get(address);
    this.#cache.use(place);
    return place.node ?? this.#decoded(place);
  }

  /** Keeps a node, for now even if the cache does not: whoever asked for it has to find it. */
  add(address: number, node: Node, contentLength: number): void {
    if (!this.#pinned.has(address)) this.#pinnedLength += contentLength;
    this.#pinned.set(address, node);
    this.offer(address, node, contentLength);
  }

  /** For the cache to keep or not. */
  offer(address: number, node: Node, contentLength: number): void {
    this.#cache.set(this.#rows, address, node, contentLength);
  }

  /** The same of a node as its row. */
  offerRow(row: RowJson): void {
    this.#cache.setRow(this.#rows, row);
  }

  /** Bytes that the cache takes, of all graphs. */
  get capacity(): number {
    return this.#cache.capacity;
  }

  /** No tree that is still of use has them. */
  drop(addresses: Iterable<number>): void {
    for (const address of addresses) this.#cache.delete(this.#rows, address);
  }

  /** From now on only the cache keeps nodes. */
  unpin(): void {
    this.#pinned.clear();
    this.#pinnedLength = 0;
  }

  /** Characters of the rows of the nodes that are kept for now. */
  get pinnedLength(): number {
    return this.#pinnedLength;
  }

  /** The cache lets the whole of them go, and takes new ones, without telling. */
  #sought(address: number): Place | undefined {
    this.#places = this.#cache.placesOf(this.#rows);
    return this.#places?.get(address);
  }

  #decoded({ row }: Place): Node | undefined {
    if (row === undefined) return undefined;
    const parsed = parseRowJson(this.#graph, this.#generation, row);
    const node = decodeNode(parsed);
    this.add(row.addr, node, parsed.content.length);
    return node;
  }
}
