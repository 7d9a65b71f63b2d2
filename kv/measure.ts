/** How much the store holds of a graph: counted by a list, without decoding anything. */
import { T_ZERO } from "../protocol/ids.ts";
import type { Head } from "./head.ts";
import { entriesRange, rowsPrefix } from "./keys.ts";
import { LIST_BATCH } from "./limits.ts";

export interface Measure {
  /** Rows or entries, each of one or more parts. */
  readonly values: number;
  /** Of all parts, as they are in the store; keys come on top. */
  readonly bytes: number;
}

/** The rows, with those that are to be swept. Reads all of them. */
export async function measureRows(kv: Deno.Kv, { graph, rows }: Head): Promise<Measure> {
  return await measure(kv, { prefix: rowsPrefix(graph, rows) });
}

/** The log's entries, without what of them was spilled. Reads all of them. */
export async function measureLog(kv: Deno.Kv, { graph, log, t }: Head): Promise<Measure> {
  return await measure(kv, entriesRange("log", graph, log, T_ZERO, t));
}

async function measure(kv: Deno.Kv, selector: Deno.KvListSelector): Promise<Measure> {
  let values = 0;
  let bytes = 0;
  for await (const { key, value } of kv.list<unknown>(selector, { batchSize: LIST_BATCH })) {
    const isFirstPart = key.at(-1) === 0;
    if (isFirstPart) values++;
    if (value instanceof Uint8Array) bytes += value.length;
  }
  return { values, bytes };
}
