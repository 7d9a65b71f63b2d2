/** The log of a graph as a stream. */
import { readHead } from "../kv/head.ts";
import { type LogEntry, readEntryBatches } from "../kv/txlog.ts";
import type { Generation, GraphId, T } from "../protocol/ids.ts";
import type { PulledLog } from "./pull_answer.ts";
import type { RecentEntries } from "./recent.ts";

/** Also tells which log it is: versions of two logs of a graph can't be compared. */
export interface PulledGraphLog extends PulledLog {
  readonly generation: Generation;
}

/**
 * The entries after `since` up to the graph's version now; `undefined` where there is no such
 * graph. A `since` at or beyond that version gives none.
 *
 * Cost: one read; the entries are read as they are asked for (see readEntryBatches), if they are not
 * among the recent ones. A reset or removal meanwhile ends them with a CorruptLogError, so that a cut
 * answer isn't taken for a whole one.
 */
export async function pull(
  kv: Deno.Kv,
  graph: GraphId,
  since: T,
  recent?: RecentEntries,
): Promise<PulledGraphLog | undefined> {
  const head = await readHead(kv, graph);
  if (head === undefined) return undefined;
  const { t, log, checksum } = head;
  const known = recent?.after(head, since);
  const entries = known === undefined
    ? readEntryBatches(kv, graph, log, since, t)
    : batchesOf(known);
  return { t, generation: log, entries, checksum };
}

async function* batchesOf(entries: readonly LogEntry[]): AsyncGenerator<readonly LogEntry[]> {
  yield entries;
}
