/** The heads of some graphs, and the keys that move with their people, as others move them. */
import { loggerFor } from "../telemetry/log.ts";
import type { GraphId } from "../protocol/ids.ts";
import { getAll } from "./get_many.ts";
import { type Head, parseHead, readHeads } from "./head.ts";
import { headKey, peopleKey } from "./keys.ts";
import { WATCH_KEYS } from "./limits.ts";
import { pause } from "./pause.ts";

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
 * only the last may be seen. A head that can't be read is logged and left out.
 *
 * Ends when the signal aborts, and when the store ends it.
 *
 * @param graphs at most WATCH_GRAPHS
 * @throws what the store throws
 */
export type SeeHeads = (
  kv: Deno.Kv,
  graphs: readonly GraphId[],
  signal: AbortSignal,
) => AsyncGenerator<readonly SeenHead[]>;

/**
 * By the store's own watch, which sees what other processes write on Deploy and over KV Connect.
 *
 * Of heads that a watch calls gone the store is asked, in one read: Deno's KV Connect client (2.9.6) tells
 * so also of a key that the server calls unchanged.
 */
export async function* watchHeads(
  kv: Deno.Kv,
  graphs: readonly GraphId[],
  signal: AbortSignal,
): ReturnType<SeeHeads> {
  if (signal.aborted) return;
  const reader = kv.watch<unknown[]>(keysOf(graphs)).getReader();
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
      const heads = headsOf(graphs, value);
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

/**
 * By reading them now and then, which in a SQLite file is the only way to see what another process writes
 * (platform.md §3).
 */
export async function* lookAtHeads(
  kv: Deno.Kv,
  graphs: readonly GraphId[],
  signal: AbortSignal,
  everyMs: number,
): ReturnType<SeeHeads> {
  const keys = keysOf(graphs);
  let before: readonly Deno.KvEntryMaybe<unknown>[] = [];
  while (!signal.aborted) {
    const entries = await getAll(kv, keys);
    const moved = entries.some(({ versionstamp }, i) => versionstamp !== before[i]?.versionstamp);
    if (moved) yield headsOf(graphs, entries);
    before = entries;
    await pause(everyMs, signal);
  }
}

/** @throws {RangeError} they are more than WATCH_GRAPHS */
function keysOf(graphs: readonly GraphId[]): readonly Deno.KvKey[] {
  if (graphs.length > WATCH_GRAPHS) {
    throw new RangeError(`Cannot watch ${graphs.length} heads: ${WATCH_GRAPHS} at most`);
  }
  return [...graphs.map(headKey), ...graphs.map(peopleKey)];
}

/** @param entries under `keysOf` them */
function headsOf(
  graphs: readonly GraphId[],
  entries: readonly Deno.KvEntryMaybe<unknown>[],
): readonly SeenHead[] {
  return graphs.flatMap((graph, i) => seen(graph, entries[i], entries[graphs.length + i]));
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
