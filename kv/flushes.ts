/**
 * What flushes leave in the store beside rows: the roots they made, which addresses are given away,
 * and which rows and tails nobody needs any more after a while.
 *
 * A flush claims addresses in one commit, writes rows there, and switches the head in another one,
 * which holds only if nobody has claimed addresses since: so rows that a root needs are never
 * written behind a reader who goes through the addresses in order.
 */
import { z } from "zod";
import { addrSchema } from "../protocol/id_schema.ts";
import {
  type Addr,
  type Generation,
  type GraphId,
  parseAddr,
  type T,
  T_ZERO,
} from "../protocol/ids.ts";
import {
  CorruptValueError,
  decodeParts,
  decodeText,
  encodeTextParts,
  type FoundPart,
  gatherParts,
  parsePart,
} from "./chunks.ts";
import { bytesSet, checkOf, type KvSet, type NotCommitted, objectSet } from "./change.ts";
import { commit, commitOrThrow, deleteKeys } from "./commit.ts";
import { type Head, headGuard } from "./head.ts";
import {
  addressesKey,
  claimKey,
  claimPrefix,
  entriesRange,
  type EntryPlace,
  flushesUpTo,
  flushKey,
  type FlushList,
  flushPrefix,
  parseClaimKey,
  parseFlushKey,
  rowPartsRange,
  rowsFrom,
  spillRange,
} from "./keys.ts";
import { LIST_BATCH } from "./limits.ts";
import { listBatches } from "./list.ts";
import { lastAddr } from "./rows.ts";
import { parseFound, parseStored, parseStoredJson, soundAt } from "./stored.ts";

/** Addresses that a flush may write at: `first` and up. */
export interface Claim {
  readonly first: Addr;
  /** For all that is written there, and for the switch: no other claim came since, and no sweep. */
  readonly guards: readonly Deno.AtomicCheck[];
  /** To be deleted in the switch. */
  readonly key: Deno.KvKey;
}

export type ClaimOutcome =
  | { readonly kind: "claimed"; readonly claim: Claim }
  | NotCommitted;

/** What a flush made useless, once nobody reads the roots before it any more. */
export interface Dropped {
  readonly graph: GraphId;
  readonly rows: Generation;
  /** The flush's version: tails up to it are in its root. */
  readonly t: T;
  /** When; ms since the epoch. */
  readonly since: number;
  readonly addrs: readonly Addr[];
  /** Holds until it is swept. */
  readonly guard: Deno.AtomicCheck;
}

/** `first` is left out where an earlier version of this server gave the first ones away. */
const addressesSchema = z.object({ first: addrSchema.exactOptional(), last: addrSchema });
const claimSchema = z.object({ count: z.int().positive(), since: z.int().nonnegative() });
const droppedSchema = z.tuple([z.int().nonnegative(), z.array(addrSchema)]);

/**
 * Claims addresses above all that the head's rows have, and above all that were ever claimed; refused
 * if the head has moved, so that whoever takes the rows away sees every claim.
 *
 * @param above the greatest address that the root knows of
 * @param since ms since the epoch
 */
export async function claimAddresses(
  kv: Deno.Kv,
  head: Head,
  count: number,
  above: number,
  since: number,
): Promise<ClaimOutcome> {
  const { graph, rows } = head;
  const key = addressesKey(graph, rows);
  const entry = await kv.get<unknown>(key);
  const given = parseFound(addressesSchema, entry);
  const last = await lastAddr(kv, graph, rows) ?? 0;
  const first = parseAddr(Math.max(given?.last ?? 0, above, last) + 1);
  // In these brackets, or the sum of both could come down to an address again.
  const end = first && parseAddr(first + (count - 1));
  if (first === undefined || end === undefined) {
    throw new CorruptValueError(`Cannot claim ${count} addresses above ${above}`);
  }
  const claim = claimKey(graph, rows, first);
  const outcome = await commit(kv, {
    sets: [
      objectSet(key, { ...given ?? { first }, last: end }),
      objectSet(claim, { count, since }),
    ],
    checks: [checkOf(entry), headGuard(head)],
  });
  if (outcome.kind !== "committed") return outcome;
  const { versionstamp } = outcome;
  const guards = [{ key, versionstamp }, { key: claim, versionstamp }];
  return { kind: "claimed", claim: { first, guards, key: claim } };
}

/**
 * The first address that was ever claimed: what is below it came by an import. `undefined` where
 * nothing was claimed, or that isn't known.
 */
export async function firstClaimed(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
): Promise<Addr | undefined> {
  return parseFound(addressesSchema, await kv.get(addressesKey(graph, rows)))?.first;
}

/** Addresses that are a flush's to write at, and to be swept with what it wrote if it was cut off. */
export interface Claimed {
  readonly first: Addr;
  readonly count: number;
}

export function isClaimed(claims: readonly Claimed[], addr: Addr): boolean {
  return claims.some(({ first, count }) => addr >= first && addr < first + count);
}

/** What holds as long as no more addresses are claimed than `listClaims` tells after it. One strong read. */
export async function claimsGuard(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
): Promise<Deno.AtomicCheck> {
  return checkOf(await kv.get(addressesKey(graph, rows)));
}

/** The claims of flushes that are under way, or were cut off. */
export async function listClaims(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
): Promise<readonly Claimed[]> {
  const claims: Claimed[] = [];
  const selector = { prefix: claimPrefix(graph, rows) };
  for await (const { key, value } of kv.list<unknown>(selector, { batchSize: LIST_BATCH })) {
    const place = parseClaimKey(key);
    const { count } = parseStored(claimSchema, key, value);
    if (place !== undefined) claims.push({ first: place.first, count });
  }
  return claims;
}

/** The sets of the root row's content as of t, and of what it makes useless. */
export function flushSets(
  graph: GraphId,
  rows: Generation,
  flush: {
    readonly t: T;
    readonly root: string;
    readonly since: number;
    readonly dropped: readonly Addr[];
  },
): readonly KvSet[] {
  const { t, root, since, dropped } = flush;
  const texts: readonly (readonly [FlushList, string])[] = [
    ["root", root],
    ["dropped", JSON.stringify([since, [...dropped]] satisfies z.input<typeof droppedSchema>)],
  ];
  return texts.flatMap(([list, text]) =>
    encodeTextParts(text).map((bytes, part) =>
      bytesSet(flushKey(list, graph, rows, t, part), bytes)
    )
  );
}

/** The root row's content as of the last flush at or before t; `undefined`: there is none. */
export async function readRoot(
  kv: Deno.Kv,
  graph: GraphId,
  rows: Generation,
  t: T,
): Promise<{ readonly t: T; readonly content: string } | undefined> {
  // Parts come in falling order, so those of the last flush come first, part 0 last of them.
  const parts: Uint8Array[] = [];
  let found: T | undefined;
  const selector = flushesUpTo("root", graph, rows, t);
  for await (const { key, value } of kv.list<unknown>(selector, { reverse: true, batchSize: 10 })) {
    const place = parseFlushKey("root", key);
    if (place === undefined || found !== undefined && place.t !== found) break;
    found = place.t;
    parts.unshift(parsePart(value));
  }
  return found === undefined ? undefined : { t: found, content: decodeText(decodeParts(parts)) };
}

/**
 * What flushes have made useless: of some rows, or of those of all graphs. What is damaged of it is
 * logged and left out: it keeps nothing else from being swept.
 */
export async function* listDropped(
  kv: Deno.Kv,
  graph?: GraphId,
  rows?: Generation,
): AsyncGenerator<Dropped> {
  async function* found(): AsyncGenerator<readonly FoundPart<string>[]> {
    for await (const batch of listBatches(kv, { prefix: flushPrefix("dropped", graph, rows) })) {
      yield batch.flatMap((entry) => {
        const { key, value } = entry;
        const place = parseFlushKey("dropped", key);
        if (place === undefined) return [];
        const id = JSON.stringify(key.slice(0, -1));
        places.set(id, { ...place, guard: checkOf(entry) });
        // What is no bytes shows when it is decoded.
        const bytes = value instanceof Uint8Array ? value : new Uint8Array();
        return [{ id, part: place.part, bytes }];
      });
    }
  }
  const places = new Map<string, EntryPlace & { readonly guard: Deno.AtomicCheck }>();
  for await (const values of gatherParts(found())) {
    for (const { id, parts } of values) {
      const place = places.get(id);
      places.delete(id);
      if (place === undefined) continue;
      const { graph, generation: rows, t, guard } = place;
      const key = flushKey("dropped", graph, rows, t, 0);
      const told = soundAt(key, () => parseStoredJson(droppedSchema, key, decodeParts(parts)));
      if (told === undefined) continue;
      const [since, addrs] = told;
      yield { graph, rows, t, since, addrs, guard };
    }
  }
}

/**
 * Deletes what a flush made useless: nodes, roots before its own, tails up to it, and last its list
 * of them, so that it is found again if this is cut off. Answers whether it did: once another has
 * swept it an import may bring rows of the same addresses, and they are none of this sweep's.
 *
 * @param log of the same graph
 */
export async function sweepDropped(
  kv: Deno.Kv,
  log: Generation,
  dropped: Dropped,
): Promise<boolean> {
  const { graph, rows, t, addrs, guard } = dropped;
  const useless = [
    ...addrs.map((addr) => rowPartsRange({ graph, generation: rows, addr, part: 0 })),
    entriesRange("tail", graph, log, T_ZERO, t),
    spillRange(graph, log, { list: "tail", t }),
    { prefix: flushPrefix("root", graph, rows), end: flushKey("root", graph, rows, t, 0) },
  ];
  return await deleteKeys(kv, useless, [guard]) &&
    await deleteKeys(kv, [flushesUpTo("dropped", graph, rows, t)]);
}

/** Deletes what flushes wrote that never came to their switch and began before `before`. */
export async function sweepClaims(kv: Deno.Kv, before: number): Promise<number> {
  let swept = 0;
  const claims = kv.list<unknown>({ prefix: claimPrefix() }, { batchSize: LIST_BATCH });
  for await (const { key, value, versionstamp } of claims) {
    const place = parseClaimKey(key);
    const { since, count } = parseStored(claimSchema, key, value);
    if (place === undefined || since >= before) continue;
    const { graph, rows, first } = place;
    // From here on the flush can neither write nor switch.
    const taken = await commit(kv, {
      sets: [objectSet(key, { count, since: 0 })],
      checks: [{ key, versionstamp }],
    });
    if (taken.kind !== "committed") continue;
    // Nor does this delete what an import brings there once another sweep is done with it.
    const guard = { key, versionstamp: taken.versionstamp };
    if (!await deleteKeys(kv, [rowsFrom(graph, rows, first, count)], [guard])) continue;
    await commitOrThrow(kv, { deletes: [key] });
    swept++;
  }
  return swept;
}
