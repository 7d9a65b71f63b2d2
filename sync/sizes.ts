/**
 * How many rows and bytes graphs have, for a page that may be looked at often. Counting reads a whole
 * graph, so it is done in the background, one graph at a time, and kept for a while.
 */
import { LRUCache } from "lru-cache";
import type { Head } from "../kv/head.ts";
import type { GraphId } from "../protocol/ids.ts";
import type { Logger } from "../telemetry/log.ts";
import { settledWithin } from "./patience.ts";
import { type GraphSize, graphSize } from "./stats.ts";

interface Known {
  readonly size: GraphSize;
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
  async of(head: Head, patienceMs: number): Promise<GraphSize | undefined> {
    if (!this.#isGood(head)) await settledWithin(patienceMs, this.#count(head));
    return this.#known.get(head.graph)?.size;
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

  async #measure(head: Head): Promise<void> {
    const { kv, now } = this.#deps;
    const size = await graphSize(kv, head);
    this.#known.set(head.graph, { size, versionstamp: head.versionstamp, at: now() });
  }
}
