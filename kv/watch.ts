/** The heads of some graphs, and the keys that move with their people, as others move them. */
import { loggerFor } from "../telemetry/log.ts";
import type { GraphId } from "../protocol/ids.ts";
import { type Head, parseHead, readHeads } from "./head.ts";
import { headKey, peopleKey } from "./keys.ts";
import { WATCH_KEYS } from "./limits.ts";

const log = loggerFor("kv");

const KEYS_A_GRAPH = 2;

/** A graph's head at some moment; `undefined` where there is no such graph. */
export interface SeenHead {
  readonly graph: GraphId;
  readonly head: Head | undefined;
  /**
   * Changes whenever someone is put out, comes or goes. `null`: nobody has yet; or over KV Connect, as of
   * heads below, nobody has since the last time.
   */
  readonly people: string | null;
}

/** Graphs that one watch takes: two keys each. */
export const WATCH_GRAPHS = Math.floor(WATCH_KEYS / KEYS_A_GRAPH);

/**
 * All heads as they are, and again all of them whenever one has moved. Of several moves in a row
 * only the last may be seen. Sees what other processes write on Deploy and over KV Connect, not in
 * a SQLite file (platform.md §3). A head that can't be read is logged and left out.
 *
 * Of heads that a watch calls gone the store is asked, in one read: Deno's KV Connect client (2.9.6) tells
 * so also of a key that the server calls unchanged.
 *
 * Ends when the signal aborts, and when the store ends it.
 *
 * @param graphs at most WATCH_GRAPHS
 * @throws what the store throws when the connection breaks
 */
export async function* watchHeads(
  kv: Deno.Kv,
  graphs: readonly GraphId[],
  signal: AbortSignal,
): AsyncGenerator<readonly SeenHead[]> {
  if (graphs.length > WATCH_GRAPHS) {
    throw new RangeError(`Cannot watch ${graphs.length} heads: ${WATCH_GRAPHS} at most`);
  }
  if (signal.aborted) return;
  const keys = [...graphs.map(headKey), ...graphs.map(peopleKey)];
  const reader = kv.watch<unknown[]>(keys).getReader();
  // A reader's cancel also ends a read that is under way.
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const cancel = (): void => {
    resolve(undefined);
    void reader.cancel().catch(() => {});
  };
  signal.addEventListener("abort", cancel, { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const heads = graphs.flatMap((graph, i) => seen(graph, value[i], value[graphs.length + i]));
      // A read may hang as a watch may: an abort ends both.
      const sure = await Promise.race([confirmed(kv, heads), aborted]);
      if (sure === undefined) return;
      yield sure;
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
  return heads.map((seen) => ({ ...seen, head: seen.head ?? now.get(seen.graph) }));
}

function seen(
  graph: GraphId,
  head: Deno.KvEntryMaybe<unknown> | undefined,
  people: Deno.KvEntryMaybe<unknown> | undefined,
): readonly SeenHead[] {
  if (head === undefined) return [];
  try {
    return [{ graph, head: parseHead(graph, head), people: people?.versionstamp ?? null }];
  } catch (cause) {
    log.error("Cannot read the head of {graph} that is watched", { graph, cause });
    return [];
  }
}
