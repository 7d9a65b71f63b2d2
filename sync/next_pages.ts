/**
 * The nodes of pages that will be asked for next. A download asks for page after page, and between two
 * of them the store would have nothing to do while the client takes the one: as it lists the next
 * meanwhile, a page takes 0.85 of the time.
 */
import { LRUCache } from "lru-cache";
import type { Head } from "../kv/head.ts";
import { listRowBatches, type RowJson } from "../kv/rows.ts";
import { T_ZERO } from "../protocol/ids.ts";
import { loggerFor } from "../telemetry/log.ts";
import { rowsIdOf } from "./node_cache.ts";

/** Downloads at once of which a page is kept; one that ends leaves none. */
const MAX_PAGES = 4;
/** Of a page that is kept: its rows' JSON. Pages of 2000 nodes have 2 MB; longer ones wait. */
const MAX_BYTES = 4 * 1024 * 1024;
/** A client that comes later than this has given up, or has gone on elsewhere. */
const KEPT_MS = 10_000;
/** A page that has come to this ends, however few its rows are: it is in memory while it is sent. */
const MAX_PAGE_BYTES = 16 * 1024 * 1024;

/** Where a list of nodes begins and ends. */
export interface NodeRange {
  /** An address, at least 1. */
  readonly after: number;
  /** Nodes wanted; there may come a few more. */
  readonly wanted: number;
}

/** Nodes ascending by addr. */
export interface ListedNodes {
  readonly nodes: readonly RowJson[];
  /** Whether they ended where they came to too many bytes, so that fewer came than are wanted. */
  readonly cut: boolean;
}

const log = loggerFor("next-pages");

export class NextPages {
  readonly #kv: Deno.Kv;
  readonly #kept: LRUCache<string, Promise<ListedNodes | undefined>>;
  readonly #begun = new Set<Promise<unknown>>();

  /** @param now ms since the epoch */
  constructor(kv: Deno.Kv, now: () => number) {
    this.#kv = kv;
    this.#kept = new LRUCache({ max: MAX_PAGES, ttl: KEPT_MS, ttlResolution: 0, perf: { now } });
  }

  /**
   * The nodes in this range that the graph's rows had at this head or later. All that the head's
   * databases need are among them, if its rows haven't been replaced by then.
   *
   * @throws {CorruptValueError}
   */
  async nodes(head: Head, range: NodeRange): Promise<ListedNodes> {
    const key = keyOf(head, range);
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    return await kept ?? await this.#list(head, range, MAX_PAGE_BYTES);
  }

  /** Begins to list what `nodes` will be asked for, if this page was none of the longest. */
  begin(head: Head, range: NodeRange, page: readonly RowJson[]): void {
    if (bytesOf(page) > MAX_BYTES) return;
    const listed = this.#listAhead(head, range);
    this.#kept.set(keyOf(head, range), listed);
    this.#begun.add(listed);
    listed.finally(() => this.#begun.delete(listed));
  }

  /** Answers when nothing is being listed ahead. */
  async idle(): Promise<void> {
    await Promise.all(this.#begun);
  }

  /** `undefined`: they are more than are kept, or can't be read. */
  async #listAhead(head: Head, range: NodeRange): Promise<ListedNodes | undefined> {
    try {
      const listed = await this.#list(head, range, MAX_BYTES);
      return listed.cut ? undefined : listed;
    } catch (cause) {
      // Whoever asks for the page will be told by a list of its own.
      log.debug("Cannot list nodes of {graph} ahead", { graph: head.graph, cause });
      return undefined;
    }
  }

  async #list(
    { graph, rows }: Head,
    { after, wanted }: NodeRange,
    maxBytes: number,
  ): Promise<ListedNodes> {
    const nodes: RowJson[] = [];
    let bytes = 0;
    for await (const batch of listRowBatches(this.#kv, graph, rows, after, wanted)) {
      nodes.push(...batch);
      bytes += bytesOf(batch);
      if (nodes.length >= wanted) break;
      if (bytes > maxBytes) return { nodes, cut: true };
    }
    return { nodes, cut: false };
  }
}

/** What is listed under one key is the same for each head that has it, but for nodes it doesn't need. */
function keyOf(head: Head, { after, wanted }: NodeRange): string {
  // The first batch may bring rows.
  const base = head.t === T_ZERO ? "new" : head.flushed;
  return `${head.graph} ${rowsIdOf(head)} ${base} ${after} ${wanted}`;
}

function bytesOf(rows: readonly RowJson[]): number {
  return rows.reduce((sum, { json }) => sum + json.length, 0);
}
