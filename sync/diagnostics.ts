/**
 * `checksum/diagnostics`: the checksum of a graph over all of it, whatever its head says, and what
 * went into it, for two devices to be compared block by block.
 */
import { isEncrypted, summedAttributes, sumOf } from "../logseq/checksum.ts";
import { encodeSum, plus, ZERO } from "../logseq/digest.ts";
import { readHead } from "../kv/head.ts";
import type { GraphId } from "../protocol/ids.ts";
import { summedStretches } from "./checksum.ts";
import type { Databases, OpenDb } from "./database.ts";
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
  const blocks = new Blocks(databases, open);
  return jsonChunks(start, blocks.json(), () => `],"checksum":"${encodeSum(blocks.sum)}"}`);
}

/** The blocks one after another, and the sum of those that were read. */
class Blocks {
  sum = ZERO;

  constructor(private readonly databases: Databases, private readonly open: OpenDb) {}

  async *json(): AsyncGenerator<readonly Uint8Array[]> {
    const encoder = new TextEncoder();
    for await (const entities of summedStretches(this.databases, this.open)) {
      this.sum = plus(this.sum, sumOf(entities));
      yield entities.map(({ facts }) => encoder.encode(JSON.stringify(Object.fromEntries(facts))));
    }
  }
}
