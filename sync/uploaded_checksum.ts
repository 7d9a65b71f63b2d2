/**
 * The checksum of a graph that was just uploaded: ours, over what came in. The client tells one too,
 * which may well differ, since it is over its own database before titles that are long were taken
 * out of it: so it is compared, and not believed.
 */
import { commitHead, readHead } from "../kv/head.ts";
import type { Checksum, GraphId } from "../protocol/ids.ts";
import { loggerFor } from "../telemetry/log.ts";
import { wholeChecksum } from "./checksum.ts";
import type { Databases } from "./database.ts";

const log = loggerFor("upload");

export interface SumDeps {
  readonly kv: Deno.Kv;
  readonly databases: Databases;
}

/**
 * Puts the checksum into the graph's head, unless a batch or a reset has come first: a batch has
 * summed the graph itself. The upload is done by now whatever becomes of this, so nothing is thrown.
 *
 * Cost: reads the whole graph.
 *
 * @param told by the client
 */
export async function sumUploaded(
  { kv, databases }: SumDeps,
  graph: GraphId,
  told: Checksum | undefined,
): Promise<void> {
  try {
    const head = await readHead(kv, graph);
    if (head === undefined || head.checksum !== "unknown") return;
    const checksum = await wholeChecksum(databases, await databases.open(head));
    if (told !== undefined && told !== checksum) {
      log.warn("The client that uploaded {graph} told the checksum {told}: ours is {checksum}", {
        graph,
        told,
        checksum,
      });
    }
    await commitHead(kv, head, { ...head, checksum }, { sets: [], deletes: [] });
  } catch (cause) {
    log.warn("Cannot sum {graph}, which was uploaded; the next batch does it", { graph, cause });
  }
}
