/** Rows of a call beside those that are there. */
import { Buffer } from "node:buffer";
import { readRowsMany, type RowJson, rowJson } from "../kv/rows.ts";
import type { Generation, GraphId } from "../protocol/ids.ts";

/** So many are compared at once, and in memory meanwhile. */
const COMPARED_ROWS = 1000;

export interface ComparedRows {
  /** At addresses that have no row. */
  readonly added: readonly RowJson[];
  /** Other rows than those there. */
  readonly changed: readonly RowJson[];
}

/** Cost: the rows of these addresses are read. */
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
    const found = await readRowsMany(kv, graph, generation, some.map((row) => row.addr));
    for (const row of some) {
      const old = found.get(row.addr);
      if (old === undefined) added.push(row);
      else if (Buffer.compare(rowJson(old).json, row.json) !== 0) changed.push(row);
    }
  }
  return { added, changed };
}
