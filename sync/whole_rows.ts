/**
 * Whether a graph's rows are all there while the seed's import has not been ended by its last call:
 * pages of it that are served in between would be taken for a whole database.
 */
import { LRUCache } from "lru-cache";
import type { Head } from "../kv/head.ts";
import { readBase } from "./base.ts";
import { type RowsId, rowsIdOf } from "./node_cache.ts";
import { isWhole } from "./rows_check.ts";

/** Clients that never make the last call have their rows looked through once in each process. */
const MAX_KNOWN = 10_000;

export class WholeRows {
  readonly #kv: Deno.Kv;
  readonly #known = new LRUCache<RowsId, true>({ max: MAX_KNOWN });

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  /**
   * Cost: nothing where no import is under way; else once, for these rows, as `isWhole`.
   *
   * @throws what reading rows throws
   */
  async has(head: Head): Promise<boolean> {
    const id = rowsIdOf(head);
    if (head.importing === undefined || this.#known.has(id)) return true;
    const { graph, rows } = head;
    const { root } = await readBase(this.#kv, head, head.flushed);
    const whole = root === undefined || await isWhole({ kv: this.#kv, graph, rows }, root);
    if (whole) this.#known.set(id, true);
    return whole;
  }
}
