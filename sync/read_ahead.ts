/**
 * Rows that are read before anybody asks for them. A batch needs a dozen nodes all over a graph, level
 * by level, and waits for each level: rows that come in a list cost a fiftieth of that each. They stay
 * undecoded until they are needed; what goes for them is what nobody has used for longest.
 */
import type { Root } from "../datascript/stored.ts";
import type { Head } from "../kv/head.ts";
import { CorruptValueError } from "../kv/chunks.ts";
import { listRowBatches } from "../kv/rows.ts";
import { TAIL_ADDR } from "../protocol/ids.ts";
import { loggerFor } from "../telemetry/log.ts";
import type { CachedNodes } from "./node_cache.ts";

/** Of a datom in three trees, with what a row takes in memory beside it; measured are 230. */
const BYTES_PER_DATOM = 250;

/**
 * A graph that takes more, or more than this share of the cache, isn't read ahead: most of it nobody
 * would ask for. Where only free room was taken, two of three batches lacked nodes once it was used
 * up, and took a third longer.
 */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_SHARE = 1 / 3;

/** A graph with fewer datoms is read as a whole at once: that is one list, or a few. */
const SMALL_DATOMS = 5000;

/** So many batches may lack nodes before a larger graph is read beside the next ones. */
const PATIENCE = 3;

const log = loggerFor("read-ahead");

export class ReadAhead {
  readonly #kv: Deno.Kv;
  readonly #head: Head;
  readonly #nodes: CachedNodes;
  readonly #isSmall: boolean;
  /** Whether it is still to be begun. */
  #isDue: boolean;
  #asked = 0;

  constructor(kv: Deno.Kv, head: Head, { trees }: Root, nodes: CachedNodes) {
    this.#kv = kv;
    this.#head = head;
    this.#nodes = nodes;
    const datoms = trees.eavt.count;
    this.#isSmall = datoms <= SMALL_DATOMS;
    this.#isDue = datoms * BYTES_PER_DATOM <= Math.min(MAX_BYTES, nodes.capacity * MAX_SHARE);
  }

  /** Reads all of a small graph, when a batch lacks nodes for the first time; whether it did. */
  async whole(): Promise<boolean> {
    if (!this.#isDue || !this.#isSmall) return false;
    this.#isDue = false;
    await this.#read();
    return true;
  }

  /**
   * Reads a larger one beside the batches that go on, once some have lacked nodes. A batch that waits
   * for a part of it takes 10 ms, one that waits for its own nodes alone 2.
   *
   * @param inTurn does work that never throws when its turn has come
   */
  beside(inTurn: (work: () => Promise<void>) => void): void {
    if (!this.#isDue || ++this.#asked <= PATIENCE) return;
    this.#isDue = false;
    inTurn(() =>
      this.#read().catch((cause) => {
        // Batches that need the same of the store will say so themselves.
        log.debug("Cannot read {graph} ahead", { graph: this.#head.graph, cause });
      })
    );
  }

  async #read(): Promise<void> {
    const { graph, rows } = this.#head;
    try {
      for await (const batch of listRowBatches(this.#kv, graph, rows, TAIL_ADDR)) {
        for (const row of batch) this.#nodes.offerRow(row);
      }
    } catch (thrown) {
      // Who needs the row that can't be read will say so; nobody may.
      if (!(thrown instanceof CorruptValueError)) throw thrown;
    }
  }
}
