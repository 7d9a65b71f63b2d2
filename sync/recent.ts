/**
 * The last log entries of graphs that this process writes. Whoever hears of a version asks for them at
 * once, so most pulls needn't look for them in the store.
 */
import { LRUCache } from "lru-cache";
import type { Head } from "../kv/head.ts";
import { type LogEntry, logEntryOf, type ShownEntry } from "../kv/txlog.ts";
import type { Generation, GraphId, T } from "../protocol/ids.ts";

/** Of all graphs, and of one of them, in UTF-16 code units: what one has more of is older. */
const MAX_UNITS = 2 * 1024 * 1024;
const MAX_UNITS_OF_ONE = 64 * 1024;
/** Of one graph: a device that hears of each version asks for a few. */
const MAX_ENTRIES = 50;

interface Kept {
  readonly log: Generation;
  /** Ascending by t, without gaps. */
  readonly entries: readonly ShownEntry[];
}

export class RecentEntries {
  readonly #kept = new LRUCache<GraphId, Kept>({ maxSize: MAX_UNITS });

  /** A commit of this process has added these, the last of them at the head. */
  add({ graph, log, t }: Head, added: readonly ShownEntry[]): void {
    const kept = this.#kept.get(graph);
    const follows = kept?.log === log && kept.entries.at(-1)?.t === t - added.length;
    const shown = added.map(shownOf);
    const entries = (follows ? [...kept.entries, ...shown] : shown).slice(-MAX_ENTRIES);
    let units = sizeOf(entries);
    while (units > MAX_UNITS_OF_ONE) units -= entries.shift()?.tx.length ?? 0;
    if (entries.length === 0) this.#kept.delete(graph);
    else this.#kept.set(graph, { log, entries }, { size: units + 1 });
  }

  /** The entries after `since` up to the head; `undefined` where they are not all here. */
  after({ graph, log, t }: Head, since: T): readonly LogEntry[] | undefined {
    const kept = this.#kept.get(graph);
    if (kept?.log !== log) return undefined;
    const wanted = kept.entries.filter((entry) => entry.t > since && entry.t <= t);
    return wanted.length === t - since ? wanted.map(logEntryOf) : undefined;
  }
}

/** Without what else is written of it. */
function shownOf({ t, tx, outlinerOp }: ShownEntry): ShownEntry {
  return { t, tx, outlinerOp };
}

function sizeOf(entries: readonly ShownEntry[]): number {
  return entries.reduce((sum, { tx }) => sum + tx.length, 0);
}
