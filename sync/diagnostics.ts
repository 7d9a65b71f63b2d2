/**
 * `checksum/diagnostics`: the checksum of a graph over all of it, whatever its head says, and what
 * went into it, for two devices to be compared block by block.
 */
import { isEncrypted, summedAttributes, sumOf } from "../logseq/checksum.ts";
import { encodeSum, plus, ZERO } from "../logseq/digest.ts";
import { readHead } from "../kv/head.ts";
import type { GraphId } from "../protocol/ids.ts";
import { summedStretches } from "./checksum.ts";
import type { Databases } from "./database.ts";
import { jsonChunks } from "./json_chunks.ts";

/**
 * The answer in chunks (today/http.ts has its shape); `undefined` where there is no such graph.
 *
 * Cost: reads all of the graph, a stretch of its entities in memory at a time.
 */
export async function diagnostics(
  kv: Deno.Kv,
  databases: Databases,
  graph: GraphId,
): Promise<AsyncGenerator<Uint8Array<ArrayBuffer>> | undefined> {
  const head = await readHead(kv, graph);
  if (head === undefined) return undefined;
  const open = await databases.open(head);
  const { db } = open;
  const told = await databases.run(open, () => ({
    "e2ee?": isEncrypted(db),
    "attrs": summedAttributes(db),
  }));
  const start = JSON.stringify(told).replace(/\}$/, ',"blocks":[');
  const encoder = new TextEncoder();
  let sum = ZERO;
  const blocks = async function* (): AsyncGenerator<readonly Uint8Array[]> {
    for await (const entities of summedStretches(databases, open)) {
      sum = plus(sum, sumOf(entities));
      yield entities.map(({ facts }) => encoder.encode(JSON.stringify(Object.fromEntries(facts))));
    }
  };
  return jsonChunks(start, blocks(), () => `],"checksum":"${encodeSum(sum)}"}`);
}
