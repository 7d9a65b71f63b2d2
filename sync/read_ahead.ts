/**
 * Rows that are read before anybody asks for them. A batch needs a dozen nodes all over a graph, level
 * by level, and waits for each level: rows that come in a list cost a fiftieth of that each. They stay
 * undecoded until they are needed, and nothing else has to go for them.
 */
import type { Root } from "../datascript/stored.ts";
import type { Head } from "../kv/head.ts";
import { CorruptValueError } from "../kv/chunks.ts";
import { LIST_BATCH } from "../kv/limits.ts";
import { listRowBatches } from "../kv/rows.ts";
import { TAIL_ADDR } from "../protocol/ids.ts";
import type { CachedNodes } from "./node_cache.ts";

/** Of a datom in three trees, with what a row takes in memory beside it; measured are 230. */
const BYTES_PER_DATOM = 250;

/** A graph that takes more isn't read ahead: most of it nobody would ask for. */
const MAX_BYTES = 16 * 1024 * 1024;

/** A graph with fewer datoms is read as a whole at once: that is one list, or a few. */
const SMALL_DATOMS = 5000;

/** So many batches may lack nodes before a larger graph is read ahead. */
const PATIENCE = 3;

export class ReadAhead {
  readonly #kv: Deno.Kv;
  readonly #head: Head;
  readonly #nodes: CachedNodes;
  readonly #isSmall: boolean;
  /** The last address that was read. */
  #after: number = TAIL_ADDR;
  #isDone: boolean;
  #asked = 0;

  constructor(kv: Deno.Kv, head: Head, { trees }: Root, nodes: CachedNodes) {
    this.#kv = kv;
    this.#head = head;
    this.#nodes = nodes;
    const datoms = trees.eavt.count;
    this.#isSmall = datoms <= SMALL_DATOMS;
    this.#isDone = datoms * BYTES_PER_DATOM > Math.min(MAX_BYTES, nodes.room);
  }

  /** Reads all of a small graph, when a batch lacks nodes for the first time; whether it did. */
  async whole(): Promise<boolean> {
    if (this.#isDone || !this.#isSmall) return false;
    while (!this.#isDone) await this.#tryNext();
    return true;
  }

  /** Reads some of a larger one, whenever a batch lacks nodes, beside those that it waits for. */
  async more(): Promise<void> {
    if (!this.#isDone && ++this.#asked > PATIENCE) await this.#tryNext();
  }

  async #tryNext(): Promise<void> {
    try {
      await this.#next();
    } catch (thrown) {
      // Who needs the row that can't be read will say so; nobody may.
      if (!(thrown instanceof CorruptValueError)) throw thrown;
      this.#isDone = true;
    }
  }

  async #next(): Promise<void> {
    const { graph, rows } = this.#head;
    // A row is known to be whole when the next one begins.
    const wanted = LIST_BATCH - 1;
    let count = 0;
    for await (const batch of listRowBatches(this.#kv, graph, rows, this.#after, wanted)) {
      for (const row of batch) this.#nodes.offerRow(row);
      this.#after = batch.at(-1)?.addr ?? this.#after;
      count += batch.length;
      if (count >= wanted && this.#nodes.room > 0) return;
    }
    this.#isDone = true;
  }
}
