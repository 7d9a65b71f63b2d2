/**
 * How many rows and bytes graphs have, for a page that may be looked at often. Counting reads a whole
 * graph, so it is done in the background, one graph at a time, and kept for a while.
 */
import { LRUCache } from "lru-cache";
import type { Head } from "../kv/head.ts";
import { entriesPrefix, rowsPrefix } from "../kv/keys.ts";
import type { GraphId } from "../protocol/ids.ts";
import type { Logger } from "../telemetry/log.ts";
import { measure } from "./stats.ts";

/** As they are in the store: compressed, with rows that are to be swept. */
export interface Size {
  readonly rows: number;
  /** Of the rows and the log. */
  readonly bytes: number;
}

interface Known extends Size {
  /** Of the head as it was then. */
  readonly versionstamp: string;
  /** Ms since the epoch. */
  readonly at: number;
}

export interface SizesDeps {
  readonly kv: Deno.Kv;
  readonly log: Logger;
  /** Ms since the epoch. */
  readonly now: () => number;
}

/** A size of a graph that changes is good for so long. */
const GOOD_FOR_MS = 10 * 60 * 1000;
/** Sizes that are kept. */
const MOST = 1000;

export class Sizes {
  readonly #deps: SizesDeps;
  readonly #known = new LRUCache<GraphId, Known>({ max: MOST });
  readonly #counting = new Map<GraphId, Promise<void>>();
  #last: Promise<void> = Promise.resolve();

  constructor(deps: SizesDeps) {
    this.#deps = deps;
  }

  /**
   * What is known of a graph's size after waiting for at most so long; `undefined`: it is being
   * counted for the first time. Never throws; a failure is logged and counted again when asked.
   */
  async of(head: Head, patienceMs: number): Promise<Size | undefined> {
    if (!this.#isGood(head)) await within(patienceMs, this.#count(head));
    const known = this.#known.get(head.graph);
    return known && { rows: known.rows, bytes: known.bytes };
  }

  /** Answers when nothing is being counted. */
  async idle(): Promise<void> {
    await Promise.all(this.#counting.values());
  }

  #isGood({ graph, versionstamp }: Head): boolean {
    const known = this.#known.get(graph);
    if (known === undefined) return false;
    return known.versionstamp === versionstamp || this.#deps.now() - known.at < GOOD_FOR_MS;
  }

  #count(head: Head): Promise<void> {
    const { graph } = head;
    const running = this.#counting.get(graph);
    if (running !== undefined) return running;
    const work = this.#last.then(() => this.#measure(head)).catch((cause) => {
      this.#deps.log.error("Cannot count the rows of {graph}", { graph, cause });
    }).finally(() => this.#counting.delete(graph));
    this.#counting.set(graph, work);
    this.#last = work;
    return work;
  }

  async #measure({ graph, rows, log, versionstamp }: Head): Promise<void> {
    const { kv, now } = this.#deps;
    const stored = await measure(kv, { prefix: rowsPrefix(graph, rows) });
    const entries = await measure(kv, { prefix: entriesPrefix("log", graph, log) });
    this.#known.set(graph, {
      rows: stored.values,
      bytes: stored.bytes + entries.bytes,
      versionstamp,
      at: now(),
    });
  }
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
