/** Rows of a call beside those that are there. */
import { Buffer } from "node:buffer";
import { readRowsEach, type RowJson, rowJson } from "../kv/rows.ts";
import type { Generation, GraphId } from "../protocol/ids.ts";

/** So many are looked for at once. */
const COMPARED_ROWS = 1000;

export interface ComparedRows {
  /** At addresses that have no row. */
  readonly added: readonly RowJson[];
  /** Other rows than those there. */
  readonly changed: readonly RowJson[];
}

/**
 * Cost: the rows of these addresses are read, of which one at a time is in memory, as each may have
 * megabytes.
 *
 * @param rows of different addresses
 */
export async function compareRows(
  kv: Deno.Kv,
  graph: GraphId,
  generation: Generation,
  rows: readonly RowJson[],
): Promise<ComparedRows> {
  const added: RowJson[] = [];
  const changed: RowJson[] = [];
  for (let start = 0; start < rows.length; start += COMPARED_ROWS) {
    const some = rows.slice(start, start + COMPARED_ROWS);
    const unseen = new Map(some.map((row) => [row.addr, row]));
    for await (const old of readRowsEach(kv, graph, generation, [...unseen.keys()])) {
      const row = unseen.get(old.addr);
      unseen.delete(old.addr);
      if (row && Buffer.compare(rowJson(old).json, row.json) !== 0) changed.push(row);
    }
    added.push(...unseen.values());
  }
  return { added, changed };
}
