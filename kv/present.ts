/**
 * Who has a socket of a graph, instance by instance, for the other instances to read. What an instance
 * says counts while its lease runs, so that one that was killed is forgotten. The store's own expiry
 * comes up to a minute late (platform.md §3), so leases are compared here and swept.
 */
import { z } from "zod";
import { userIdSchema } from "../protocol/id_schema.ts";
import type { GraphId } from "../protocol/ids.ts";
import { bytesSet, checkOf, type KvSet, type NotCommitted, objectSet } from "./change.ts";
import { commit, commitOrThrow } from "./commit.ts";
import { getAll } from "./get_many.ts";
import {
  graphKey,
  instanceKey,
  instancesPrefix,
  parseInstanceKey,
  parsePresentKey,
  peopleKey,
  presentKey,
  presentPrefix,
} from "./keys.ts";
import { PART_BYTES } from "./limits.ts";
import { listPlaces } from "./list.ts";
import { peopleSet } from "./members.ts";
import { parseFound, parseStored, parseStoredJson } from "./stored.ts";

const presentSchema = z.object({
  id: userIdSchema,
  email: z.string().exactOptional(),
  username: z.string().exactOptional(),
  name: z.string().exactOptional(),
  /** The block that the user edits. */
  editing: z.string().exactOptional(),
  /** When that began or ended, in ms since the epoch: of several sockets the latest counts. */
  at: z.int().nonnegative(),
});

/** A user who is there. */
export type Present = Readonly<z.output<typeof presentSchema>>;

const leaseSchema = z.object({ until: z.int().nonnegative() });

/** An instance of the server: a random id, and until when it lives unless it says so again. */
export interface Lease {
  readonly instance: string;
  /** Ms since the epoch. */
  readonly until: number;
}

/** `gone`: there is no such graph, and nothing was written. */
export type PresentWritten = NotCommitted | { readonly kind: "gone" } | {
  readonly kind: "committed";
  /** Which news all instances hear, and which one was before it: of several a watch may tell the last alone. */
  readonly versionstamp: string;
  readonly before: string | null;
  /** Whether it had a lease: else what it has said of other graphs may have been swept. */
  readonly hadLease: boolean;
};

/**
 * Says who is at an instance's sockets of the graph, and renews its lease; nobody: there are none
 * any more. All instances hear of it. Of more users than one value holds (some 300) the last are
 * left out.
 */
export async function writePresent(
  kv: Deno.Kv,
  graph: GraphId,
  lease: Lease,
  users: readonly Present[],
): Promise<PresentWritten> {
  const keys = [graphKey(graph), peopleKey(graph), instanceKey(lease.instance)] as const;
  const [meta, people, known] = await kv.getMany<readonly [unknown, unknown, unknown]>(keys);
  if (meta.versionstamp === null) return { kind: "gone" };
  const place = presentKey(graph, lease.instance);
  const outcome = await commit(kv, {
    sets: [
      ...users.length === 0 ? [] : [bytesSet(place, encode(users))],
      leaseSet(lease),
      peopleSet(graph),
    ],
    deletes: users.length === 0 ? [place] : [],
    checks: [checkOf(meta), checkOf(people)],
  });
  if (outcome.kind !== "committed") return outcome;
  return { ...outcome, before: people.versionstamp, hadLease: known.versionstamp !== null };
}

/** Conflicts are with what this instance says of a graph just then, or with a sweep. */
const ATTEMPTS = 10;

/**
 * Answers whether there was one to renew all the while. A sweep that has found the old one over takes
 * nothing away from then on.
 *
 * @throws {Error} it isn't known to be renewed
 */
export async function renewLease(kv: Deno.Kv, lease: Lease): Promise<boolean> {
  let hadLease = true;
  let cause: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const known = await kv.get(instanceKey(lease.instance));
    hadLease &&= known.versionstamp !== null;
    const outcome = await commit(kv, { sets: [leaseSet(lease)], checks: [checkOf(known)] });
    if (outcome.kind === "committed") return hadLease;
    cause = outcome.cause;
  }
  throw new Error(`Cannot renew a lease after ${ATTEMPTS} attempts`, { cause });
}

/** What the instance has said counts no more. @throws {Error} it isn't known to be ended */
export async function endLease(kv: Deno.Kv, instance: string): Promise<void> {
  await commitOrThrow(kv, { deletes: [instanceKey(instance)] });
}

/**
 * Who is at the sockets of all other instances.
 *
 * Cost: a list, and a read for 10 instances.
 *
 * @param now ms since the epoch
 * @throws {CorruptValueError}
 */
export async function readPresent(
  kv: Deno.Kv,
  graph: GraphId,
  own: string,
  now: number,
): Promise<readonly Present[]> {
  const entries = listPlaces(kv, { prefix: presentPrefix(graph) }, parsePresentKey);
  const others = (await Array.fromAsync(entries)).flatMap(([{ instance }, { key, value }]) =>
    instance === own ? [] : [{ instance, users: decode(key, value) }]
  );
  const alive = await liveOf(kv, others.map(({ instance }) => instance), now);
  return others.flatMap(({ instance, users }) => alive.has(instance) ? users : []);
}

/**
 * Deletes what instances said whose lease is over, and their leases. Answers how many entries.
 *
 * @param now ms since the epoch
 * @throws {Error} a commit isn't known to have succeeded
 */
export async function sweepPresent(kv: Deno.Kv, now: number): Promise<number> {
  // Leases are read after what they are for: one that comes to life meanwhile is seen alive.
  const entries = await Array.fromAsync(
    listPlaces(kv, { prefix: presentPrefix() }, parsePresentKey),
  );
  const alive = new Set<string>();
  const over = new Map<string, Deno.AtomicCheck>();
  const leases = listPlaces(kv, { prefix: instancesPrefix() }, parseInstanceKey);
  for await (const [instance, lease] of leases) {
    const { until } = parseStored(leaseSchema, lease.key, lease.value);
    if (isRunning(until, now)) alive.add(instance);
    else over.set(instance, checkOf(lease));
  }
  const left = entries.filter(([{ instance }]) => !alive.has(instance));
  // A conflict: it was written or renewed just now, by an instance that was slow and not dead.
  for (const [{ instance }, entry] of left) {
    const lease = over.get(instance) ?? { key: instanceKey(instance), versionstamp: null };
    await commit(kv, { deletes: [entry.key], checks: [checkOf(entry), lease] });
  }
  for (const lease of over.values()) await commit(kv, { deletes: [lease.key], checks: [lease] });
  return left.length;
}

async function liveOf(
  kv: Deno.Kv,
  instances: readonly string[],
  now: number,
): Promise<ReadonlySet<string>> {
  const leases = await getAll(kv, instances.map(instanceKey));
  return new Set(instances.filter((_, i) => {
    const entry = leases[i];
    const lease = entry && parseFound(leaseSchema, entry);
    return lease !== undefined && isRunning(lease.until, now);
  }));
}

/**
 * Far more than a lease, and than the clocks of instances differ. One that ends later is of a clock that
 * was wrong: of an instance that was killed before it was set, it would run for as long as that.
 */
const MOST_MS = 24 * 60 * 60 * 1000;

function isRunning(until: number, now: number): boolean {
  return until > now && until - now <= MOST_MS;
}

function leaseSet({ instance, until }: Lease): KvSet {
  return objectSet(instanceKey(instance), { until });
}

/** A JSON array; as many of the users as fit. */
function encode(users: readonly Present[]): Uint8Array {
  const encoder = new TextEncoder();
  const texts: string[] = [];
  let bytes = 2;
  for (const user of users) {
    const text = JSON.stringify(user);
    bytes += encoder.encode(text).length + 1;
    if (bytes > PART_BYTES) break;
    texts.push(text);
  }
  return encoder.encode(`[${texts.join()}]`);
}

function decode(key: Deno.KvKey, value: unknown): readonly Present[] {
  const bytes = parseStored(z.instanceof(Uint8Array), key, value);
  return parseStoredJson(z.array(presentSchema), key, bytes);
}
