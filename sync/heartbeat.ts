/**
 * Signs of life for clients to which nothing happens. A browser's client sees no ping frames, and today's
 * connects anew after ten minutes without a message, with a new token and all that follows. `changed` with
 * a version that it knows is news to neither dialect (protocol.md §1). Since heads are read for it, it is
 * also how a client hears of what no other news has reached it: a reset and the graph's end among it.
 */
import { isGone, readSoundHeads } from "../kv/head.ts";
import { loggerFor } from "../telemetry/log.ts";
import { closeReason } from "./close_codes.ts";
import type { Hub } from "./hub.ts";

const EVERY_MS = 4 * 60 * 1000;

const log = loggerFor("heartbeat");

/** Tells everybody now. Cost: the heads of all graphs that have sockets here. */
export async function beat(kv: Deno.Kv, hub: Hub): Promise<void> {
  const graphs = hub.graphs();
  const heads = await readSoundHeads(kv, graphs);
  for (const [i, graph] of graphs.entries()) {
    const head = heads[i];
    if (head !== undefined) {
      for (const listener of hub.each(graph)) listener.remind(head.t, head.log);
      // One that can't be read is there, and keeps no other from its sign of life.
    } else if (await isGone(kv, graph).catch(() => false)) {
      hub.closeAll(graph, closeReason.deleted);
    }
  }
}

/** From now on, until what it answers is called. */
export function startHeartbeat(kv: Deno.Kv, hub: Hub, everyMs: number = EVERY_MS): () => void {
  const timer = setInterval(() => {
    beat(kv, hub).catch((cause) => log.warn("Cannot give signs of life", { cause }));
  }, everyMs);
  return () => clearInterval(timer);
}
