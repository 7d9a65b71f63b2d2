/**
 * Every key of the store. A builder for each, and a parser for each that is listed.
 *
 * | key                                       | value        | written by                           |
 * | ----------------------------------------- | ------------ | ------------------------------------ |
 * | `["graph", graph]`                        | GraphMeta    | graphs.ts: once; gone with the graph |
 * | `["owned", user, graph]`                  | `true`       | graphs.ts: with the above            |
 * | `["creation", user]`                      | `true`       | graphs.ts: with a graph that counts  |
 * | `["head", graph]`                         | HeadState    | head.ts: with every change           |
 * | `["log", graph, generation, t, part]`     | bytes        | txlog.ts: an entry as clients pull it |
 * | `["tail", graph, generation, t, part]`    | bytes        | txlog.ts: the same tx as datoms      |
 * | `["spill", graph, generation, list, t, writer, part]` | bytes | txlog.ts: an entry beyond a commit |
 * | `["accepted", graph, generation, t]`      | SentId[]     | accepted.ts: whose entries made t    |
 * | `["row", graph, generation, addr, part]`  | bytes        | rows.ts                              |
 * | `["root", graph, generation, t, part]`    | bytes        | flushes.ts: the root row as of t     |
 * | `["addresses", graph, generation]`        | `{ first?, last }` | flushes.ts: addresses given away     |
 * | `["claim", graph, generation, first]`     | `{ count, since }` | flushes.ts: a flush under way  |
 * | `["dropped", graph, generation, t, part]` | bytes        | flushes.ts: rows that t made useless |
 * | `["garbage", graph, generation]`          | `{ since }`  | garbage.ts: what is nobody's         |
 * | `["member", graph, user]`                 | Member       | members.ts; of the creator none      |
 * | `["membership", user, graph]`             | `true`       | members.ts: with the above           |
 * | `["orphans", graph]`                      | `true`       | graphs.ts: the graph is gone, members may be left |
 * | `["people", graph]`                       | `true`       | members.ts, present.ts: moves whenever someone is put out, comes or goes |
 * | `["user", user]`                          | Profile      | users.ts: as his last token said     |
 * | `["email", email]`                        | user         | users.ts: with the above             |
 * | `["key-pair", user]`                      | KeyPair      | e2ee_keys.ts                         |
 * | `["graph-key", graph, user]`              | text         | e2ee_keys.ts: of a member            |
 * | `["download", graph, user, step]`         | Told, Served | downloads.ts: how far his download is |
 * | `["present", graph, instance]`            | bytes        | present.ts: who has a socket there   |
 * | `["instance", instance]`                  | `{ until }`  | present.ts: that one's lease         |
 * | `["asset", graph, name]`                  | Asset        | assets.ts: a file's name             |
 * | `["blob", graph, blob, part]`             | bytes        | blobs.ts: a file's bytes             |
 * | `["loose", graph, blob]`                  | LooseState   | loose.ts: a blob that no name has    |
 * | `["gone", graph]`                         | `{ since }`  | graphs.ts: its files are to be removed |
 * | `["unready", graph]`                      | `{ since }`  | graphs.ts: waits for the upload that makes it |
 * | `["format"]`                              | `{ format }` | format.ts: of the whole database     |
 * | `["ready"]`                               | nothing      | nobody: ready.ts reads it            |
 * | `["upload", graph]`                       | `{ rows, by }` | snapshot_uploads.ts: rows that come in by and by |
 *
 * Keys sort part by part; numbers sort as numbers, so t, addr and part need no padding. Never a
 * bigint in their place: all bigints sort before all numbers. Generations are random, so nothing
 * may be read into their order.
 */
import type { BlobPlace } from "../protocol/asset.ts";
import {
  type Addr,
  type AssetName,
  type Email,
  type Generation,
  type GraphId,
  parseAddr,
  parseAssetName,
  parseBlobId,
  parseGeneration,
  parseGraphId,
  parseT,
  parseUserId,
  type T,
  type UserId,
} from "../protocol/ids.ts";

/** Where a part of an entry is. */
export interface EntryPlace {
  readonly graph: GraphId;
  readonly generation: Generation;
  readonly t: T;
  readonly part: number;
}

/** Where a part of a row is. */
export interface RowPlace {
  readonly graph: GraphId;
  readonly generation: Generation;
  readonly addr: Addr;
  readonly part: number;
}

/** Keys with a start (inclusive) and an end (exclusive). */
export interface KeyRange {
  readonly start: Deno.KvKey;
  readonly end: Deno.KvKey;
}

/** What a selector still finds behind one of its keys. */
export function selectorBehind(
  selector: Deno.KvListSelector,
  key: Deno.KvKey,
): Deno.KvListSelector {
  // No key sorts between these two: empty bytes are the first part of all.
  const start = [...key, new Uint8Array()];
  return "end" in selector ? { start, end: selector.end } : { prefix: selector.prefix, start };
}

/** The two lists by t that a graph has under a generation. */
export type EntryList = "log" | "tail";

export function graphKey(graph: GraphId): Deno.KvKey {
  return ["graph", graph];
}

/** All graphs. */
export function graphsPrefix(): Deno.KvKey {
  return ["graph"];
}

/** The heads of all graphs. */
export function headsPrefix(): Deno.KvKey {
  return ["head"];
}

/** Of a key under `graphsPrefix` or `headsPrefix`. */
export function parseGraphKey(key: Deno.KvKey): GraphId | undefined {
  const [name, graphText, ...more] = key;
  if (name !== "graph" && name !== "head" || more.length > 0) return undefined;
  return parseGraphId(graphText);
}

export function ownedKey(user: UserId, graph: GraphId): Deno.KvKey {
  return ["owned", user, graph];
}

/** All graphs of a user. */
export function ownedPrefix(user: UserId): Deno.KvKey {
  return ["owned", user];
}

export function parseOwnedKey(key: Deno.KvKey): GraphUser | undefined {
  const [name, user, graph, ...more] = key;
  return name === "owned" && more.length === 0 ? graphUser(graph, user) : undefined;
}

/** Set with each new graph of a user: while its versionstamp stays, there are no more. */
export function creationKey(user: UserId): Deno.KvKey {
  return ["creation", user];
}

export function headKey(graph: GraphId): Deno.KvKey {
  return ["head", graph];
}

export function entryKey(list: EntryList, place: EntryPlace): Deno.KvKey {
  return [list, place.graph, place.generation, place.t, place.part];
}

/** All that a generation has in one of the lists. */
export function entriesPrefix(
  list: EntryList,
  graph: GraphId,
  generation: Generation,
): Deno.KvKey {
  return [list, graph, generation];
}

/** All parts of the entries with since < t ≤ upTo. */
export function entriesRange(
  list: EntryList,
  graph: GraphId,
  generation: Generation,
  since: T,
  upTo: T,
): KeyRange {
  // The largest T plus one is 2^53, which a key still tells from it.
  return {
    start: [list, graph, generation, since + 1],
    end: [list, graph, generation, upTo + 1],
  };
}

export function parseEntryKey(list: EntryList, key: Deno.KvKey): EntryPlace | undefined {
  return parseNumbered(list, key);
}

function parseNumbered(list: string, key: Deno.KvKey): EntryPlace | undefined {
  const [name, graphText, generationText, number, partNumber, ...more] = key;
  if (name !== list || more.length > 0) return undefined;
  const graph = parseGraphId(graphText);
  const generation = parseGeneration(generationText);
  const t = parseT(number);
  const part = parsePart(partNumber);
  if (graph === undefined || generation === undefined) return undefined;
  if (t === undefined || part === undefined) return undefined;
  return { graph, generation, t, part };
}

/** What a writer spilled of his entry t in one of the lists. */
export interface Spill {
  readonly list: EntryList;
  readonly t: T;
  readonly writer: string;
}

export function spillKey(
  graph: GraphId,
  generation: Generation,
  spill: Spill,
  part: number,
): Deno.KvKey {
  return [...spillPrefix(graph, generation, spill), part];
}

/** All parts of it. */
export function spillPrefix(graph: GraphId, generation: Generation, spill: Spill): Deno.KvKey {
  return ["spill", graph, generation, spill.list, spill.t, spill.writer];
}

/** All that was spilled of a log; with a list, of that one's entries up to t (inclusive). */
export function spillRange(
  graph: GraphId,
  generation: Generation,
  upTo?: { readonly list: EntryList; readonly t: T },
): Deno.KvListSelector {
  const prefix: Deno.KvKey = ["spill", graph, generation];
  if (upTo === undefined) return { prefix };
  return { prefix: [...prefix, upTo.list], end: [...prefix, upTo.list, upTo.t + 1] };
}

export function acceptedKey(graph: GraphId, log: Generation, t: T): Deno.KvKey {
  return ["accepted", graph, log, t];
}

/** All of one log. */
export function acceptedPrefix(graph: GraphId, log: Generation): Deno.KvKey {
  return ["accepted", graph, log];
}

/** Those of the versions with since < t ≤ upTo. */
export function acceptedRange(graph: GraphId, log: Generation, since: T, upTo: T): KeyRange {
  const prefix = acceptedPrefix(graph, log);
  return { start: [...prefix, since + 1], end: [...prefix, upTo + 1] };
}

export function parseAcceptedKey(
  key: Deno.KvKey,
): { readonly graph: GraphId; readonly log: Generation; readonly t: T } | undefined {
  const [name, graphText, logText, number, ...more] = key;
  if (name !== "accepted" || more.length > 0) return undefined;
  const graph = parseGraphId(graphText);
  const log = parseGeneration(logText);
  const t = parseT(number);
  if (graph === undefined || log === undefined || t === undefined) return undefined;
  return { graph, log, t };
}

export function rowKey(place: RowPlace): Deno.KvKey {
  return ["row", place.graph, place.generation, place.addr, place.part];
}

/** All rows of a generation. */
export function rowsPrefix(graph: GraphId, generation: Generation): Deno.KvKey {
  return ["row", graph, generation];
}

/** All parts of one row from this one on. */
export function rowPartsRange(place: RowPlace): KeyRange {
  return {
    start: rowKey(place),
    end: ["row", place.graph, place.generation, place.addr + 1],
  };
}

/** All parts of the rows at `count` addresses from this one on. */
export function rowsFrom(
  graph: GraphId,
  generation: Generation,
  first: Addr,
  count: number,
): KeyRange {
  return {
    start: ["row", graph, generation, first],
    end: ["row", graph, generation, first + count],
  };
}

/** All parts of the rows with addr > after; -1: of all rows. */
export function rowsAfter(
  graph: GraphId,
  generation: Generation,
  after: number,
): { readonly prefix: Deno.KvKey; readonly start: Deno.KvKey } {
  const prefix = rowsPrefix(graph, generation);
  return { prefix, start: [...prefix, after + 1] };
}

export function parseRowKey(key: Deno.KvKey): RowPlace | undefined {
  const [name, graphText, generationText, number, partNumber, ...more] = key;
  if (name !== "row" || more.length > 0) return undefined;
  const graph = parseGraphId(graphText);
  const generation = parseGeneration(generationText);
  const addr = parseAddr(number);
  const part = parsePart(partNumber);
  if (graph === undefined || generation === undefined) return undefined;
  if (addr === undefined || part === undefined) return undefined;
  return { graph, generation, addr, part };
}

/** What flushes keep beside rows; all of it is under the rows' generation. */
export type FlushList = "root" | "dropped";

/** A part of what the flush at t left in one of the lists. */
export function flushKey(
  list: FlushList,
  graph: GraphId,
  rows: Generation,
  t: T,
  part: number,
): Deno.KvKey {
  return [list, graph, rows, t, part];
}

/** All of one list: of some rows, or of those of all graphs. */
export function flushPrefix(list: FlushList, graph?: GraphId, rows?: Generation): Deno.KvKey {
  return graph === undefined || rows === undefined ? [list] : [list, graph, rows];
}

/** All parts that flushes up to t (inclusive) left in one of the lists. */
export function flushesUpTo(
  list: FlushList,
  graph: GraphId,
  rows: Generation,
  t: T,
): { readonly prefix: Deno.KvKey; readonly end: Deno.KvKey } {
  const prefix = flushPrefix(list, graph, rows);
  return { prefix, end: [...prefix, t + 1] };
}

export function parseFlushKey(list: FlushList, key: Deno.KvKey): EntryPlace | undefined {
  return parseNumbered(list, key);
}

export function addressesKey(graph: GraphId, rows: Generation): Deno.KvKey {
  return ["addresses", graph, rows];
}

export function claimKey(graph: GraphId, rows: Generation, first: Addr): Deno.KvKey {
  return ["claim", graph, rows, first];
}

/** The claims on some rows, or on those of all graphs. */
export function claimPrefix(graph?: GraphId, rows?: Generation): Deno.KvKey {
  return graph === undefined || rows === undefined ? ["claim"] : ["claim", graph, rows];
}

export function parseClaimKey(
  key: Deno.KvKey,
): { readonly graph: GraphId; readonly rows: Generation; readonly first: Addr } | undefined {
  const [name, graphText, rowsText, number, ...more] = key;
  if (name !== "claim" || more.length > 0) return undefined;
  const graph = parseGraphId(graphText);
  const rows = parseGeneration(rowsText);
  const first = parseAddr(number);
  if (graph === undefined || rows === undefined || first === undefined) return undefined;
  return { graph, rows, first };
}

export function garbageKey(graph: GraphId, generation: Generation): Deno.KvKey {
  return ["garbage", graph, generation];
}

/** The markers of one graph, or of all. */
export function garbagePrefix(graph?: GraphId): Deno.KvKey {
  return graph === undefined ? ["garbage"] : ["garbage", graph];
}

export function parseGarbageKey(
  key: Deno.KvKey,
): { readonly graph: GraphId; readonly generation: Generation } | undefined {
  const [name, graphText, generationText, ...more] = key;
  if (name !== "garbage" || more.length > 0) return undefined;
  const graph = parseGraphId(graphText);
  const generation = parseGeneration(generationText);
  if (graph === undefined || generation === undefined) return undefined;
  return { graph, generation };
}

export function memberKey(graph: GraphId, user: UserId): Deno.KvKey {
  return ["member", graph, user];
}

/** All members of a graph. */
export function membersPrefix(graph: GraphId): Deno.KvKey {
  return ["member", graph];
}

export function parseMemberKey(key: Deno.KvKey): GraphUser | undefined {
  const [name, graph, user, ...more] = key;
  return name === "member" && more.length === 0 ? graphUser(graph, user) : undefined;
}

export function membershipKey(user: UserId, graph: GraphId): Deno.KvKey {
  return ["membership", user, graph];
}

/** All graphs that a user is a member of. */
export function membershipsPrefix(user: UserId): Deno.KvKey {
  return ["membership", user];
}

export function parseMembershipKey(key: Deno.KvKey): GraphUser | undefined {
  const [name, user, graph, ...more] = key;
  return name === "membership" && more.length === 0 ? graphUser(graph, user) : undefined;
}

export function orphansKey(graph: GraphId): Deno.KvKey {
  return ["orphans", graph];
}

/** All graphs of which members may be left. */
export function orphansPrefix(): Deno.KvKey {
  return ["orphans"];
}

export function parseOrphansKey(key: Deno.KvKey): GraphId | undefined {
  return parseGraphPlace("orphans", key);
}

export function peopleKey(graph: GraphId): Deno.KvKey {
  return ["people", graph];
}

export function userKey(user: UserId): Deno.KvKey {
  return ["user", user];
}

export function emailKey(email: Email): Deno.KvKey {
  return ["email", email];
}

export function keyPairKey(user: UserId): Deno.KvKey {
  return ["key-pair", user];
}

export function graphKeyKey(graph: GraphId, user: UserId): Deno.KvKey {
  return ["graph-key", graph, user];
}

export function parseGraphKeyKey(key: Deno.KvKey): GraphUser | undefined {
  const [name, graph, user, ...more] = key;
  return name === "graph-key" && more.length === 0 ? graphUser(graph, user) : undefined;
}

/** The keys that a graph's users have for it. */
export function graphKeysPrefix(graph: GraphId): Deno.KvKey {
  return ["graph-key", graph];
}

/** What is remembered of a download: what its last pull told, and its last page. */
export type DownloadStep = "told" | "served";

export function downloadKey(graph: GraphId, user: UserId, step: DownloadStep): Deno.KvKey {
  return ["download", graph, user, step];
}

/** Of all who have downloaded a graph. */
export function downloadsPrefix(graph: GraphId): Deno.KvKey {
  return ["download", graph];
}

export function presentKey(graph: GraphId, instance: string): Deno.KvKey {
  return ["present", graph, instance];
}

/** All instances that have sockets of a graph, or of any. */
export function presentPrefix(graph?: GraphId): Deno.KvKey {
  return graph === undefined ? ["present"] : ["present", graph];
}

export function parsePresentKey(
  key: Deno.KvKey,
): { readonly graph: GraphId; readonly instance: string } | undefined {
  const [name, graphText, instance, ...more] = key;
  if (name !== "present" || more.length > 0 || typeof instance !== "string") return undefined;
  const graph = parseGraphId(graphText);
  return graph === undefined ? undefined : { graph, instance };
}

export function instanceKey(instance: string): Deno.KvKey {
  return ["instance", instance];
}

export function parseInstanceKey(key: Deno.KvKey): string | undefined {
  const [name, instance, ...more] = key;
  return name === "instance" && typeof instance === "string" && more.length === 0
    ? instance
    : undefined;
}

/** The leases of all instances. */
export function instancesPrefix(): Deno.KvKey {
  return ["instance"];
}

/** A user of a graph. */
export interface GraphUser {
  readonly graph: GraphId;
  readonly user: UserId;
}

function graphUser(graphPart: unknown, userPart: unknown): GraphUser | undefined {
  const graph = parseGraphId(graphPart);
  const user = parseUserId(userPart);
  return graph === undefined || user === undefined ? undefined : { graph, user };
}

export function assetKey(graph: GraphId, name: AssetName): Deno.KvKey {
  return ["asset", graph, name];
}

/** The names of all files of a graph. */
export function assetsPrefix(graph: GraphId): Deno.KvKey {
  return ["asset", graph];
}

export function parseAssetKey(
  key: Deno.KvKey,
): { readonly graph: GraphId; readonly name: AssetName } | undefined {
  const [kind, graphText, nameText, ...more] = key;
  if (kind !== "asset" || more.length > 0) return undefined;
  const graph = parseGraphId(graphText);
  const name = parseAssetName(nameText);
  return graph === undefined || name === undefined ? undefined : { graph, name };
}

export function blobKey({ graph, blob }: BlobPlace, part: number): Deno.KvKey {
  return ["blob", graph, blob, part];
}

/** All parts of a blob. */
export function blobPrefix({ graph, blob }: BlobPlace): Deno.KvKey {
  return ["blob", graph, blob];
}

/** The parts from `first` to before `end`. */
export function blobPartsRange(place: BlobPlace, first: number, end: number): KeyRange {
  return { start: blobKey(place, first), end: blobKey(place, end) };
}

export function parseBlobKey(key: Deno.KvKey): BlobPlace & { readonly part: number } | undefined {
  const [kind, graphText, blobText, partNumber, ...more] = key;
  if (kind !== "blob" || more.length > 0) return undefined;
  const graph = parseGraphId(graphText);
  const blob = parseBlobId(blobText);
  const part = parsePart(partNumber);
  if (graph === undefined || blob === undefined || part === undefined) return undefined;
  return { graph, blob, part };
}

export function looseKey({ graph, blob }: BlobPlace): Deno.KvKey {
  return ["loose", graph, blob];
}

/** The loose blobs of one graph, or of all. */
export function loosePrefix(graph?: GraphId): Deno.KvKey {
  return graph === undefined ? ["loose"] : ["loose", graph];
}

export function parseLooseKey(key: Deno.KvKey): BlobPlace | undefined {
  const [kind, graphText, blobText, ...more] = key;
  if (kind !== "loose" || more.length > 0) return undefined;
  const graph = parseGraphId(graphText);
  const blob = parseBlobId(blobText);
  return graph === undefined || blob === undefined ? undefined : { graph, blob };
}

export function goneKey(graph: GraphId): Deno.KvKey {
  return ["gone", graph];
}

/** All graphs whose files are to be removed. */
export function gonePrefix(): Deno.KvKey {
  return ["gone"];
}

export function parseGoneKey(key: Deno.KvKey): GraphId | undefined {
  return parseGraphPlace("gone", key);
}

export function unreadyKey(graph: GraphId): Deno.KvKey {
  return ["unready", graph];
}

/** All graphs that wait for their upload. */
export function unreadyPrefix(): Deno.KvKey {
  return ["unready"];
}

export function parseUnreadyKey(key: Deno.KvKey): GraphId | undefined {
  return parseGraphPlace("unready", key);
}

/** Of the whole database. */
export function formatKey(): Deno.KvKey {
  return ["format"];
}

/** Has no value, ever. */
export function readinessKey(): Deno.KvKey {
  return ["ready"];
}

export function uploadKey(graph: GraphId): Deno.KvKey {
  return ["upload", graph];
}

/** Of a key that names its graph and nothing else. */
function parseGraphPlace(kind: string, key: Deno.KvKey): GraphId | undefined {
  const [name, graph, ...more] = key;
  return name === kind && more.length === 0 ? parseGraphId(graph) : undefined;
}

function parsePart(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
