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
} from "./chunks.ts";
import { bytesSet, type Change } from "./commit.ts";
import { entriesRange, entryKey, type EntryList, parseEntryKey } from "./keys.ts";
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

/** `["<writer>","<transit>"]` */
const tailSchema = z.tuple([z.string(), z.string()]);

/** The sets that write an entry and its tail, for the commit that moves the head to its t. */
export function entryChange(graph: GraphId, log: Generation, entry: NewEntry): Change["sets"] {
  const { t, tx, tail, writer } = entry;
  const json = JSON.stringify({ t, tx });
  const datoms = JSON.stringify([writer, tail]);
  return [
    ...setsOf("log", graph, log, t, json),
    ...setsOf("tail", graph, log, t, datoms),
  ];
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

function setsOf(
  list: EntryList,
  graph: GraphId,
  generation: Generation,
  t: T,
  text: string,
): Change["sets"] {
  return encodeTextParts(text).map((bytes, part) =>
    bytesSet(entryKey(list, { graph, generation, t, part }), bytes)
  );
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
    if (place === undefined || !(value instanceof Uint8Array)) {
      throw new CorruptLogError(`Cannot read ${JSON.stringify(key)} as a part of an entry`);
    }
    yield { id: place.t, part: place.part, bytes: value };
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
