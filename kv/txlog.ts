/**
 * The log of a graph: for each t one entry as clients pull it, and the datoms of the same
 * transaction (the tail). Both are written in the commit that moves the head to t, never changed,
 * and gone with their generation.
 */
import { z } from "zod";
import type { Generation, GraphId, T } from "../protocol/ids.ts";
import {
  COMPRESS_LONG_FROM,
  CorruptValueError,
  decodeParts,
  decodeText,
  encodeTextParts,
  type FoundPart,
  type FoundValue,
  gatherParts,
  parsePart,
} from "./chunks.ts";
import { utf8 } from "./bytes.ts";
import { bytesSet, type KvSet, objectSet } from "./change.ts";
import {
  entriesPrefix,
  entriesRange,
  entryKey,
  type EntryList,
  parseEntryKey,
  spillKey,
  spillPrefix,
} from "./keys.ts";
import { LIST_BATCH_BYTES } from "./limits.ts";
import { listBatches } from "./list.ts";

/** What clients see of an entry. */
export interface ShownEntry {
  readonly t: T;
  /** Transit text as clients get it. */
  readonly tx: string;
  /** What a client of today's said that it is for. */
  readonly outlinerOp?: string | undefined;
}

/** An entry to be written. */
export interface NewEntry extends ShownEntry {
  /** Transit text of the transaction's datoms. */
  readonly tail: string;
  /** A random id of the commit: after an unknown outcome it tells whose entry is there. */
  readonly writer: string;
}

/** An entry as clients pull it: UTF-8 of `{"t":…,"tx":"…"}`, or with `"outliner-op"` before `t`. */
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

/**
 * What is deflated, from so many bytes on; each call of zlib is a fortieth of a small batch's CPU time.
 * Recorded logs deflated from 512 bytes on take 0.86 of the room, and a pull of small entries 1.13 to
 * 1.2 times as long. A tail is gone with the next flush.
 */
const COMPRESS_LIST_FROM: Readonly<Record<EntryList, number>> = {
  log: 1024,
  tail: COMPRESS_LONG_FROM,
};

/** In the place of an entry that was spilled: whose parts are its own. */
const spilledSchema = z.object({ writer: z.string() });

/** `["<writer>","<transit>"]` */
const tailSchema = z.tuple([z.string(), z.string()]);

/** The sets that write an entry and its tail, for the commit that moves the head to its t. */
export function entryChange(graph: GraphId, log: Generation, entry: NewEntry): readonly KvSet[] {
  const { t } = entry;
  return textsOf(entry).flatMap(([list, text]) =>
    encodeTextParts(text, COMPRESS_LIST_FROM[list]).map((bytes, part) =>
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
): { readonly parts: readonly KvSet[]; readonly sets: readonly KvSet[] } {
  const { t, writer } = entry;
  return {
    parts: textsOf(entry).flatMap(([list, text]) =>
      encodeTextParts(text).map((bytes, part) =>
        bytesSet(spillKey(graph, log, { t, writer, list }, part), bytes)
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
 * The entries with since < t ≤ upTo, ascending, without gaps, in batches; none if since ≥ upTo.
 *
 * Cost: one read a batch of the store's, two of which are in memory (listBatches), and one batch of
 * entries; nothing is parsed.
 * Consistency: strong. Entries never change, but a reset deletes them under the reader.
 *
 * @param upTo no more than the t of a head whose log this is
 * @throws {CorruptLogError} an entry is missing or can't be read; those before it have been yielded
 */
export async function* readEntryBatches(
  kv: Deno.Kv,
  graph: GraphId,
  log: Generation,
  since: T,
  upTo: T,
): AsyncGenerator<readonly LogEntry[]> {
  for await (const values of readValues(kv, "log", graph, log, since, upTo)) {
    yield values.map(({ t, bytes }) => ({ t, json: bytes }));
  }
}

/** The same, one by one. */
export async function* readEntries(
  kv: Deno.Kv,
  graph: GraphId,
  log: Generation,
  since: T,
  upTo: T,
): AsyncGenerator<LogEntry> {
  for await (const batch of readEntryBatches(kv, graph, log, since, upTo)) yield* batch;
}

/** The datoms of the same transactions, on the same terms as `readEntries`. */
export async function* readTail(
  kv: Deno.Kv,
  graph: GraphId,
  log: Generation,
  since: T,
  upTo: T,
): AsyncGenerator<TailEntry> {
  for await (const values of readValues(kv, "tail", graph, log, since, upTo)) {
    for (const { t, bytes } of values) {
      const [writer, transit] = parseTail(t, bytes);
      yield { t, writer, transit };
    }
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

/** An entry as it will be read. */
export function logEntryOf(entry: ShownEntry): LogEntry {
  return { t: entry.t, json: utf8(logText(entry)) };
}

/** What is kept of an entry, in each list. */
function textsOf(entry: NewEntry): readonly (readonly [EntryList, string])[] {
  return [["log", logText(entry)], ["tail", JSON.stringify([entry.writer, entry.tail])]];
}

function logText({ t, tx, outlinerOp }: ShownEntry): string {
  const op = outlinerOp === undefined ? {} : { "outliner-op": outlinerOp };
  return JSON.stringify({ ...op, t, tx });
}

interface Value {
  readonly t: T;
  readonly bytes: Uint8Array;
}

async function* readValues(
  kv: Deno.Kv,
  list: EntryList,
  graph: GraphId,
  log: Generation,
  since: T,
  upTo: T,
): AsyncGenerator<readonly Value[]> {
  if (since >= upTo) return;
  const found = findParts(kv, list, graph, log, since, upTo);
  let last: number = since;
  for await (const values of gatherParts(found)) {
    for (const whole of decodeValues(graph, values, last)) {
      yield whole;
      last += whole.length;
    }
  }
  if (last !== upTo) throw missing(graph, last + 1);
}

/**
 * The values that follow each other after `last`, in batches of some LIST_BATCH_BYTES; what is deflated
 * can be a thousand times as long. Throws, after those before it, at one that is missing or can't be
 * read.
 */
function* decodeValues(
  graph: GraphId,
  values: readonly FoundValue<T>[],
  last: number,
): Generator<readonly Value[]> {
  let whole: Value[] = [];
  let bytes = 0;
  let fault: unknown;
  for (const [i, { id: t, parts }] of values.entries()) {
    try {
      if (t !== last + i + 1) throw missing(graph, last + i + 1);
      const value = { t, bytes: decodeEntry(t, parts) };
      whole.push(value);
      bytes += value.bytes.length;
    } catch (cause) {
      fault = cause;
      break;
    }
    if (bytes < LIST_BATCH_BYTES) continue;
    yield whole;
    [whole, bytes] = [[], 0];
  }
  if (whole.length > 0) yield whole;
  if (fault !== undefined) throw fault;
}

async function* findParts(
  kv: Deno.Kv,
  list: EntryList,
  graph: GraphId,
  log: Generation,
  since: T,
  upTo: T,
): AsyncGenerator<readonly FoundPart<T>[]> {
  for await (const batch of listBatches(kv, entriesRange(list, graph, log, since, upTo))) {
    let parts: FoundPart<T>[] = [];
    for (const { key, value } of batch) {
      const place = parseEntryKey(list, key);
      if (place === undefined) {
        // What came before it is whole, whatever this is.
        yield parts;
        throw new CorruptLogError(`Cannot read ${JSON.stringify(key)} as the key of an entry`);
      }
      const { t, part } = place;
      const spilled = value instanceof Uint8Array ? undefined : spilledSchema.safeParse(value).data;
      if (spilled === undefined) {
        // What is no bytes shows when its entry is decoded, after those before it.
        const bytes = value instanceof Uint8Array ? value : new Uint8Array();
        parts.push({ id: t, part, bytes });
        continue;
      }
      yield parts;
      parts = [];
      yield* findSpilled(kv, t, spillPrefix(graph, log, { t, writer: spilled.writer, list }));
    }
    yield parts;
  }
}

async function* findSpilled(
  kv: Deno.Kv,
  t: T,
  prefix: Deno.KvKey,
): AsyncGenerator<readonly FoundPart<T>[]> {
  let part = 0;
  for await (const batch of listBatches(kv, { prefix })) {
    yield batch.map(({ value }) => ({ id: t, part: part++, bytes: parsePart(value) }));
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
