/**
 * The log of a graph: for each t one entry as clients pull it, and the datoms of the same
 * transaction (the tail). Both are written in the commit that moves the head to t, never changed,
 * and gone with their generation.
 */
import { z } from "zod";
import type { Generation, GraphId, T } from "../protocol/ids.ts";
import {
  CorruptValueError,
  decodeParts,
  decodeText,
  encodeTextParts,
  type FoundPart,
  gatherParts,
  parsePart,
} from "./chunks.ts";
import { bytesSet, type Change, objectSet } from "./commit.ts";
import {
  entriesPrefix,
  entriesRange,
  entryKey,
  type EntryList,
  parseEntryKey,
  spillPrefix,
} from "./keys.ts";
import { LIST_BATCH } from "./limits.ts";

/** An entry to be written. */
export interface NewEntry {
  readonly t: T;
  /** Transit text as clients get it. */
  readonly tx: string;
  /** Transit text of the transaction's datoms. */
  readonly tail: string;
  /** A random id of the commit: after an unknown outcome it tells whose entry is there. */
  readonly writer: string;
}

/** An entry as clients pull it: UTF-8 of `{"t":…,"tx":"…"}`. */
export interface LogEntry {
  readonly t: T;
  readonly json: Uint8Array;
}

/** The datoms of a transaction. */
export interface TailEntry {
  readonly t: T;
  readonly writer: string;
  readonly transit: string;
}

/** An entry between two others is missing, or one can't be read: a fault of ours, or a reset. */
export class CorruptLogError extends Error {
  override readonly name: string = "CorruptLogError";
}

/** In the place of an entry that was spilled: whose parts are its own. */
const spilledSchema = z.object({ writer: z.string() });

/** `["<writer>","<transit>"]` */
const tailSchema = z.tuple([z.string(), z.string()]);

/** The sets that write an entry and its tail, for the commit that moves the head to its t. */
export function entryChange(graph: GraphId, log: Generation, entry: NewEntry): Change["sets"] {
  const { t } = entry;
  return textsOf(entry).flatMap(([list, text]) =>
    encodeTextParts(text).map((bytes, part) =>
      bytesSet(entryKey(list, { graph, generation: log, t, part }), bytes)
    )
  );
}

/**
 * The same for an entry that is more than one commit holds: `parts` are to be written before, where
 * nobody looks for them; `sets` then refer to them. What was written in vain lies there until the
 * log is gone.
 */
export function spilledEntryChange(
  graph: GraphId,
  log: Generation,
  entry: NewEntry,
): { readonly parts: Change["sets"]; readonly sets: Change["sets"] } {
  const { t, writer } = entry;
  return {
    parts: textsOf(entry).flatMap(([list, text]) =>
      encodeTextParts(text).map((bytes, part) =>
        bytesSet([...spillPrefix(graph, log, { t, writer, list }), part], bytes)
      )
    ),
    sets: textsOf(entry).map(([list]) =>
      objectSet(
        entryKey(list, { graph, generation: log, t, part: 0 }),
        { writer } satisfies z.input<typeof spilledSchema>,
      )
    ),
  };
}

/**
 * The entries with since < t ≤ upTo, ascending, without gaps; none if since ≥ upTo.
 *
 * Cost: one read per 500 parts, of which at most those are in memory; nothing is parsed.
 * Consistency: strong. Entries never change, but a reset deletes them under the reader.
 *
 * @param upTo no more than the t of a head whose log this is
 * @throws {CorruptLogError} an entry is missing or can't be read; those before it have been yielded
 */
export async function* readEntries(
  kv: Deno.Kv,
  graph: GraphId,
  log: Generation,
  since: T,
  upTo: T,
): AsyncGenerator<LogEntry> {
  for await (const { t, bytes } of readValues(kv, "log", graph, log, since, upTo)) {
    yield { t, json: bytes };
  }
}

/** The datoms of the same transactions, on the same terms as `readEntries`. */
export async function* readTail(
  kv: Deno.Kv,
  graph: GraphId,
  log: Generation,
  since: T,
  upTo: T,
): AsyncGenerator<TailEntry> {
  for await (const { t, bytes } of readValues(kv, "tail", graph, log, since, upTo)) {
    const [writer, transit] = parseTail(t, bytes);
    yield { t, writer, transit };
  }
}

/** The last t that a list has anything of; `undefined` for an empty one. One read. */
export async function lastEntry(
  kv: Deno.Kv,
  list: EntryList,
  graph: GraphId,
  log: Generation,
): Promise<T | undefined> {
  const selector = { prefix: entriesPrefix(list, graph, log) };
  for await (const { key } of kv.list(selector, { limit: 1, reverse: true })) {
    return parseEntryKey(list, key)?.t;
  }
  return undefined;
}

/** What is kept of an entry, in each list. */
function textsOf({ t, tx, tail, writer }: NewEntry): readonly (readonly [EntryList, string])[] {
  return [["log", JSON.stringify({ t, tx })], ["tail", JSON.stringify([writer, tail])]];
}

async function* readValues(
  kv: Deno.Kv,
  list: EntryList,
  graph: GraphId,
  log: Generation,
  since: T,
  upTo: T,
): AsyncGenerator<{ readonly t: T; readonly bytes: Uint8Array }> {
  if (since >= upTo) return;
  const found = findParts(kv, list, graph, log, since, upTo);
  let last: number = since;
  for await (const { id: t, parts } of gatherParts(found)) {
    if (t !== last + 1) throw missing(graph, last + 1);
    yield { t, bytes: decodeEntry(t, parts) };
    last = t;
  }
  if (last !== upTo) throw missing(graph, last + 1);
}

async function* findParts(
  kv: Deno.Kv,
  list: EntryList,
  graph: GraphId,
  log: Generation,
  since: T,
  upTo: T,
): AsyncGenerator<FoundPart<T>> {
  const range = entriesRange(list, graph, log, since, upTo);
  for await (const { key, value } of kv.list<unknown>(range, { batchSize: LIST_BATCH })) {
    const place = parseEntryKey(list, key);
    const spilled = value instanceof Uint8Array ? undefined : spilledSchema.safeParse(value);
    if (place === undefined || spilled?.success === false) {
      throw new CorruptLogError(`Cannot read ${JSON.stringify(key)} as a part of an entry`);
    }
    const { t, part } = place;
    if (value instanceof Uint8Array) yield { id: t, part, bytes: value };
    if (spilled === undefined) continue;
    const prefix = spillPrefix(graph, log, { t, writer: spilled.data.writer, list });
    let spilledPart = 0;
    for await (const entry of kv.list<unknown>({ prefix }, { batchSize: LIST_BATCH })) {
      yield { id: t, part: spilledPart++, bytes: parsePart(entry.value) };
    }
  }
}

function decodeEntry(t: T, parts: readonly Uint8Array[]): Uint8Array {
  try {
    return decodeParts(parts);
  } catch (cause) {
    throw unreadable(t, cause);
  }
}

function parseTail(t: T, bytes: Uint8Array): [writer: string, transit: string] {
  try {
    return tailSchema.parse(JSON.parse(decodeText(bytes)));
  } catch (cause) {
    throw unreadable(t, cause);
  }
}

function missing(graph: GraphId, t: number): CorruptLogError {
  return new CorruptLogError(`Cannot read the log of ${graph} as entry ${t} is missing`);
}

/** Anything but a value that can't be read is passed on as it is. */
function unreadable(t: T, cause: unknown): unknown {
  const ours = cause instanceof CorruptValueError || cause instanceof SyntaxError ||
    cause instanceof z.ZodError;
  return ours ? new CorruptLogError(`Cannot read entry ${t} of the log`, { cause }) : cause;
}
