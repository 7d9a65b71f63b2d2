/** The heads of some graphs as others move them. */
import { loggerFor } from "../telemetry/log.ts";
import type { GraphId } from "../protocol/ids.ts";
import { type Head, parseHead, readHeads } from "./head.ts";
import { headKey } from "./keys.ts";
import { WATCH_KEYS } from "./limits.ts";

const log = loggerFor("kv");

/** A graph's head at some moment; `undefined` where there is no such graph. */
export interface SeenHead {
  readonly graph: GraphId;
  readonly head: Head | undefined;
}

/**
 * All heads as they are, and again all of them whenever one has moved. Of several moves in a row
 * only the last may be seen. Sees what other processes write on Deploy and over KV Connect, not in
 * a SQLite file (platform.md §3). A head that can't be read is logged and left out.
 *
 * Of what a watch calls gone the store is asked, in one read: Deno's KV Connect client (2.9.6) tells
 * so also of a key that the server calls unchanged.
 *
 * Ends when the signal aborts, and when the store ends it.
 *
 * @param graphs at most WATCH_KEYS
 * @throws what the store throws when the connection breaks
 */
export async function* watchHeads(
  kv: Deno.Kv,
  graphs: readonly GraphId[],
  signal: AbortSignal,
): AsyncGenerator<readonly SeenHead[]> {
  if (graphs.length > WATCH_KEYS) {
    throw new RangeError(`Cannot watch ${graphs.length} heads: ${WATCH_KEYS} at most`);
  }
  if (signal.aborted) return;
  const reader = kv.watch<unknown[]>(graphs.map(headKey)).getReader();
  // A reader's cancel also ends a read that is under way.
  const cancel = (): void => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", cancel, { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const heads = value.flatMap((entry, i) => seen(graphs[i], entry));
      yield await confirmed(kv, heads);
    }
  } finally {
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}

async function confirmed(
  kv: Deno.Kv,
  heads: readonly SeenHead[],
): Promise<readonly SeenHead[]> {
  const gone = heads.flatMap(({ graph, head }) => head === undefined ? [graph] : []);
  if (gone.length === 0) return heads;
  const read = await readHeads(kv, gone);
  const now = new Map(gone.map((graph, i) => [graph, read[i]]));
  return heads.map(({ graph, head }) => ({ graph, head: head ?? now.get(graph) }));
}

function seen(graph: GraphId | undefined, entry: Deno.KvEntryMaybe<unknown>): readonly SeenHead[] {
  if (graph === undefined) return [];
  try {
    return [{ graph, head: parseHead(graph, entry) }];
  } catch (cause) {
    log.error("Cannot read the head of {graph} that is watched", { graph, cause });
    return [];
  }
}
