/** A sweep right after what made the rows nobody's, which stands whether or not they can be swept. */
import { sweepGeneration } from "../kv/garbage.ts";
import type { Generation, GraphId } from "../protocol/ids.ts";
import { loggerFor } from "../telemetry/log.ts";

const log = loggerFor("sweep");

/** Sweeps a generation that is marked: what can't be swept now, a later sweep finds. Never throws. */
export async function trySweep(kv: Deno.Kv, graph: GraphId, generation: Generation): Promise<void> {
  try {
    await sweepGeneration(kv, graph, generation);
  } catch (cause) {
    log.warn("Cannot sweep yet what is no longer of use to {graph}", { graph, cause });
  }
}
