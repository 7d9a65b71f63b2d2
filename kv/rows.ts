/**
 * The rows of a graph by address: nodes of the client's database as texts that nothing here looks
 * into. Kept as UTF-8 of the JSON by which a page of rows shows them. A row may be replaced in
 * place; parts of a longer old one are deleted with it (`strayRowParts`).
 */
import { z } from "zod";
import { addrSchema } from "../protocol/id_schema.ts";
import type { Addr, Generation, GraphId } from "../protocol/ids.ts";
import { utf8 } from "./bytes.ts";
import {
  COMPRESS_LONG_FROM,
  CorruptValueError,
  decodeParts,
  encodeParts,
  encodeTextParts,
  type FoundPart,
  gatherParts,
  parsePart,
  partCount,
} from "./chunks.ts";
import { bytesSet, type KvSet } from "./change.ts";
import { getAll } from "./get_many.ts";
import { parseRowKey, rowKey, rowPartsRange, rowsAfter, rowsPrefix } from "./keys.ts";
import { LIST_BATCH, LIST_BATCH_BYTES } from "./limits.ts";
import { listBatches } from "./list.ts";
import { parseStoredJson } from "./stored.ts";

/** One row, as it was sent. */
export interface Row {
  readonly addr: Addr;
  readonly content: string;
  readonly addresses: string | null;
}

/** One row as a page shows it: UTF-8 of `{"addr":…,"content":…,"addresses":…}`. */
export interface RowJson {
  readonly addr: Addr;
  readonly json: Uint8Array;
}

/**
 * A row that is replaced while it is read in parts is read again. Twice in a row is rare; so often
 * is no race.
 */
const READ_ATTEMPTS = 10;

const rowSchema = z.object({
  addr: addrSchema,
  content: z.string(),
  addresses: z.string().nullable(),
});

/** The same row is the same bytes. */
export function rowJson(row: Row): RowJson {
  return { addr: row.addr, json: utf8(rowText(row)) };
}

function rowText({ addr, content, addresses }: Row): string {
  return JSON.stringify({ addr, content, addresses });
}

/** @throws {CorruptValueError} */
export function parseRowJson(graph: GraphId, rows: Generation, { addr, json }: RowJson): Row {
  const key = rowKey({ graph, generation: rows, addr, part: 0 });
  return parseStoredJson(rowSchema, key, json);
}

/** The sets that write a row. Over a row that is there already: see `strayRowParts`. */
export function rowSets(graph: GraphId, rows: Generation, row: Row): readonly KvSet[] {
  return partSets(graph, rows, row.addr, encodeTextParts(rowText(row)));
}

/**
 * The same for a row that is written once and stays. Short ones are not deflated, as a graph comes in
 * and goes out by all of them at once: a third of an import's CPU time and of a page's would be
 * deflate's. They take twice the room. Flushes deflate theirs, since what they write again and again is
 * most of all that is written.
 */
export function importedRowSets(
  graph: GraphId,
  rows: Generation,
  { addr, json }: RowJson,
): readonly KvSet[] {
  return partSets(graph, rows, addr, encodeParts(json, COMPRESS_LONG_FROM));
}

function partSets(
  graph: GraphId,
  rows: Generation,
  addr: Addr,
  parts: readonly Uint8Array[],
): readonly KvSet[] {
  // Part 0 last: a row of which a cut-off writer has left some parts is no row.
  return parts.map((bytes, part) => {
    const set = bytesSet(rowKey({ graph, generation: rows, addr, part }), bytes);
    return part === 0 ? set : { ...set, isBeforeNext: true as const };
  }).toReversed();
}

/**
 * The keys that are left over where a longer row is replaced by these sets: to be deleted in the
 * same commit. No reader would take them for part of the row, but they'd lie there until a reset.
 *
 * Cost: one key for each row is looked for, which for most isn't there; nothing for new generations
 * that hold no row yet, so don't call it for these.
 *
 * @param sets of rows of this generation, as `rowSets` makes them, whole rows only
 */
export async function strayRowParts(kv: Deno.Kv, sets: readonly KvSet[]): Promise<Deno.KvKey[]> {
  const firstStrays = firstKeysBeyond(sets);
  const found = await getAll(kv, firstStrays);
  const strays: Deno.KvKey[] = [];
  for (const [i, key] of firstStrays.entries()) {
    const place = parseRowKey(key);
    if (found[i]?.versionstamp === null || place === undefined) continue;
    for await (const entry of kv.list(rowPartsRange(place), { batchSize: LIST_BATCH })) {
      strays.push(entry.key);
    }
  }
  return strays;
}

/**
 * One row, or `undefined` where there is none. One read; for a row of several parts one more for
 * each 500 of them.
 *
 * @throws {CorruptValueError}
 */
export async function readRow(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
  addr: Addr,
): Promise<Row | undefined> {
  const json = await readRowBytes(kv, graph, rows, addr);
  return json && parseRowJson(graph, rows, { addr, json });
}

/**
 * The rows of these addresses that there are, in the order of the addresses.
 *
 * Cost: one read for 10 rows, up to GET_MANY_CALLS of them at once; rows of several parts are read
 * one after the other. Consistency: strong, but not of one moment.
 *
 * @throws {CorruptValueError}
 */
export async function readRowsMany(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
  addrs: readonly Addr[],
): Promise<Map<Addr, Row>> {
  const found = new Map<Addr, Row>();
  for await (const row of readRowsEach(kv, graph, rows, addrs)) found.set(row.addr, row);
  return found;
}

/** The same one after the other: in memory are the first parts of all, and one row. */
export async function* readRowsEach(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
  addrs: readonly Addr[],
): AsyncGenerator<Row> {
  const wanted = [...new Set(addrs)];
  const keys = wanted.map((addr) => rowKey({ graph, generation: rows, addr, part: 0 }));
  const firsts = await getAll(kv, keys);
  for (const [i, addr] of wanted.entries()) {
    const first = firsts[i];
    if (first === undefined || first.versionstamp === null) continue;
    const part = parsePart(first.value);
    const json = partCount(part) === 1
      ? decodeParts([part])
      : await readRowBytes(kv, graph, rows, addr);
    if (json !== undefined) yield parseRowJson(graph, rows, { addr, json });
  }
}

/** The greatest address that has a row. One read. */
export async function lastAddr(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
): Promise<Addr | undefined> {
  const selector = { prefix: rowsPrefix(graph, rows) };
  for await (const { key } of kv.list(selector, { limit: 1, reverse: true })) {
    return parseRowKey(key)?.addr;
  }
  return undefined;
}

/**
 * The rows with addr > after (-1: all), ascending by addr, in batches of some LIST_BATCH_BYTES at most,
 * or of one row that is longer.
 *
 * Cost: one read a batch of the store's, two of which are in memory (listBatches), and one batch of
 * rows; nothing is parsed.
 * Consistency: each row is whole, but they aren't of one moment: rows that are replaced meanwhile
 * may come old or new, rows that are added may come or not. Of rows that are swept meanwhile, the
 * rest is left out: check the head once more where that matters.
 *
 * @param wanted how many rows the caller will hardly go beyond
 * @throws {CorruptValueError}
 */
export async function* listRowBatches(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
  after: number,
  wanted: number = Infinity,
): AsyncGenerator<readonly RowJson[]> {
  // A row is known to be whole when the next one begins.
  const found = findParts(kv, graph, rows, after, wanted + 1);
  for await (const values of gatherParts(found)) {
    let batch: RowJson[] = [];
    let bytes = 0;
    for (const { id: addr, parts } of values) {
      const json = tryDecode(parts) ?? await readRowBytes(kv, graph, rows, addr);
      if (json === undefined) continue;
      batch.push({ addr, json });
      bytes += json.length;
      if (bytes < LIST_BATCH_BYTES) continue;
      // What is deflated can be a thousand times as long.
      yield batch;
      [batch, bytes] = [[], 0];
    }
    if (batch.length > 0) yield batch;
  }
}

/** The same, one by one. */
export async function* listRows(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
  after: number,
): AsyncGenerator<RowJson> {
  for await (const batch of listRowBatches(kv, graph, rows, after)) yield* batch;
}

/**
 * The addresses that have a row, ascending.
 *
 * Cost: as `listRows`, since the store has no list of keys alone.
 */
export async function* listAddrs(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
): AsyncGenerator<Addr> {
  for await (const batch of findParts(kv, graph, rows, -1)) {
    for (const { id, part } of batch) {
      if (part === 0) yield id;
    }
  }
}

async function* findParts(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
  after: number,
  wanted?: number,
): AsyncGenerator<readonly FoundPart<Addr>[]> {
  for await (const batch of listBatches(kv, rowsAfter(graph, rows, after), wanted)) {
    yield batch.map(({ key, value }) => {
      const place = parseRowKey(key);
      if (place === undefined) {
        throw new CorruptValueError(`Cannot read ${JSON.stringify(key)} as the key of a row`);
      }
      return { id: place.addr, part: place.part, bytes: parsePart(value) };
    });
  }
}

/**
 * The row's JSON. Its parts come by more than one read, so that it may be replaced between them:
 * then it is read again.
 */
async function readRowBytes(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
  addr: Addr,
): Promise<Uint8Array | undefined> {
  const first = rowKey({ graph, generation: rows, addr, part: 0 });
  const further = rowPartsRange({ graph, generation: rows, addr, part: 1 });
  for (let attempt = 1;; attempt++) {
    const entry = await kv.get<unknown>(first);
    if (entry.versionstamp === null) return undefined;
    const parts = [parsePart(entry.value)];
    try {
      const limit = partCount(parsePart(entry.value)) - 1;
      if (limit > 0) {
        for await (const { value } of kv.list(further, { limit, batchSize: LIST_BATCH })) {
          parts.push(parsePart(value));
        }
      }
      return decodeParts(parts);
    } catch (cause) {
      if (!(cause instanceof CorruptValueError) || attempt === READ_ATTEMPTS) throw cause;
    }
  }
}

/** `undefined`: not whole, as it was replaced while it was listed, or as it is corrupt. */
function tryDecode(parts: readonly Uint8Array[]): Uint8Array | undefined {
  try {
    return decodeParts(parts);
  } catch (cause) {
    if (cause instanceof CorruptValueError) return undefined;
    throw cause;
  }
}

/** For each row the key of the part after its last one, which comes first (partSets). */
function firstKeysBeyond(sets: readonly KvSet[]): Deno.KvKey[] {
  const keys: Deno.KvKey[] = [];
  for (const [i, { key }] of sets.entries()) {
    const place = parseRowKey(key);
    const last = sets[i - 1];
    const before = last === undefined ? undefined : parseRowKey(last.key);
    if (place === undefined || before?.addr === place.addr) continue;
    keys.push(rowKey({ ...place, part: place.part + 1 }));
  }
  return keys;
}
