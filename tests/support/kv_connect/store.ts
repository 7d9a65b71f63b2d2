/** An ordered store in memory, with the limits of the real one (denokv's `limits.rs`). */
import { Buffer } from "node:buffer";
import {
  type AtomicWrite,
  ENCODING_LE64,
  type KeyBytes,
  MUTATION,
  type Mutation,
  type ReadRange,
  type StoredEntry,
  type StoredValue,
  type WriteOutcome,
} from "./wire.ts";

const MAX_CHECKS = 10;
const MAX_MUTATIONS = 1000;
const MAX_RANGES = 10;
const MAX_ENTRIES = 1000;
const MAX_KEY_BYTES = 2048;
const MAX_VALUE_BYTES = 65_536;
const MAX_WRITE_BYTES = 819_200;

/** A request beyond a limit, or that this store has no way to do. Nothing was written. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

export class ConnectStore {
  /** In hexadecimal, which sorts as the bytes do. */
  readonly #keys: string[] = [];
  readonly #entries = new Map<string, StoredEntry>();
  readonly #listeners = new Set<(changed: ReadonlySet<string>) => void>();
  #version = 0n;

  /** How many keys there are. */
  get size(): number {
    return this.#keys.length;
  }

  get(key: KeyBytes): StoredEntry | undefined {
    return this.#entries.get(idOf(key));
  }

  /** @throws {RefusedError} */
  read(ranges: readonly ReadRange[]): readonly (readonly StoredEntry[])[] {
    mustBe(ranges.length <= MAX_RANGES, "Too many read ranges requested in one read request.");
    const entries = ranges.reduce((sum, { limit }) => sum + limit, 0);
    mustBe(entries <= MAX_ENTRIES, "The total number of entries requested is too large.");
    return ranges.map((range) => this.#readRange(range));
  }

  /** All of it or nothing. @throws {RefusedError} */
  write({ checks, mutations }: AtomicWrite): WriteOutcome {
    mustBe(checks.length <= MAX_CHECKS, "Too many checks included in atomic write.");
    mustBe(mutations.length <= MAX_MUTATIONS, "Too many mutations included in atomic write.");
    mustFit(mutations);
    const failedChecks = checks.flatMap(({ key, versionstamp }, i) => {
      const now = this.get(key)?.versionstamp;
      const expected = versionstamp.some((byte) => byte > 0) ? versionstamp : undefined;
      return isSame(now, expected) ? [] : [i];
    });
    if (failedChecks.length > 0) return { ok: false, failedChecks };

    const changes = this.#changesOf(mutations);
    const versionstamp = versionstampOf(++this.#version);
    for (const [key, value] of changes.values()) {
      if (value === undefined) this.#delete(key);
      else this.#set({ key, ...value, versionstamp });
    }
    for (const listener of this.#listeners) listener(new Set(changes.keys()));
    return { ok: true, versionstamp };
  }

  /** Calls back after each commit that touched one of the keys; the answer ends it. */
  onChange(keys: readonly KeyBytes[], changed: (keys: readonly boolean[]) => void): () => void {
    const ids = keys.map(idOf);
    const listener = (touched: ReadonlySet<string>): void => {
      const which = ids.map((id) => touched.has(id));
      if (which.includes(true)) changed(which);
    };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #readRange({ start, end, limit, reverse }: ReadRange): readonly StoredEntry[] {
    const [from, to] = [this.#placeOf(idOf(start)), this.#placeOf(idOf(end))];
    const keys = reverse
      ? this.#keys.slice(Math.max(from, to - limit), to).reverse()
      : this.#keys.slice(from, Math.min(to, from + limit));
    return keys.flatMap((id) => this.#entries.get(id) ?? []);
  }

  /** What the mutations, one after the other, leave at each key that they name. */
  #changesOf(
    mutations: readonly Mutation[],
  ): ReadonlyMap<string, readonly [KeyBytes, StoredValue | undefined]> {
    const changes = new Map<string, readonly [KeyBytes, StoredValue | undefined]>();
    for (const mutation of mutations) {
      const id = idOf(mutation.key);
      const [, before] = changes.get(id) ?? [mutation.key, this.#entries.get(id)];
      changes.set(id, [mutation.key, mutated(before, mutation)]);
    }
    return changes;
  }

  #set(entry: StoredEntry): void {
    const id = idOf(entry.key);
    if (!this.#entries.has(id)) this.#keys.splice(this.#placeOf(id), 0, id);
    this.#entries.set(id, entry);
  }

  #delete(key: KeyBytes): void {
    const id = idOf(key);
    if (this.#entries.delete(id)) this.#keys.splice(this.#placeOf(id), 1);
  }

  /** Where in the order this key is, or would be. */
  #placeOf(id: string): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#keys[middle] ?? "") < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function idOf(key: KeyBytes): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("hex");
}

function isSame(x: Uint8Array | undefined, y: Uint8Array | undefined): boolean {
  if (x === undefined || y === undefined) return x === y;
  return Buffer.compare(x, y) === 0;
}

/** 10 bytes that rise with each commit. */
function versionstampOf(version: bigint): Uint8Array {
  const bytes = new Uint8Array(10);
  new DataView(bytes.buffer).setBigUint64(0, version);
  return bytes;
}

function mutated(
  before: StoredValue | undefined,
  { type, value }: Mutation,
): StoredValue | undefined {
  switch (type) {
    case MUTATION.set:
      return value;
    case MUTATION.delete:
      return undefined;
    case MUTATION.sum:
      return numbered(before, value, (x, y) => BigInt.asUintN(64, x + y));
    case MUTATION.max:
      return numbered(before, value, (x, y) => x > y ? x : y);
    case MUTATION.min:
      return numbered(before, value, (x, y) => x < y ? x : y);
    default:
      throw new RefusedError(`Invalid mutation kind or arguments: ${type}`);
  }
}

function numbered(
  before: StoredValue | undefined,
  value: StoredValue,
  combine: (before: bigint, operand: bigint) => bigint,
): StoredValue {
  if (before === undefined) return value;
  const data = new Uint8Array(8);
  new DataView(data.buffer).setBigUint64(0, combine(numberOf(before), numberOf(value)), true);
  return { data, encoding: ENCODING_LE64 };
}

function numberOf({ data, encoding }: StoredValue): bigint {
  mustBe(encoding === ENCODING_LE64 && data.length === 8, "Not a 64-bit number.");
  return new DataView(data.buffer, data.byteOffset, 8).getBigUint64(0, true);
}

function mustFit(mutations: readonly Mutation[]): void {
  let total = 0;
  for (const { key, value } of mutations) {
    mustBe(key.length <= MAX_KEY_BYTES, "A key exceeds the key size limit.");
    mustBe(value.data.length <= MAX_VALUE_BYTES, "A value exceeds the value size limit.");
    total += key.length + value.data.length;
  }
  mustBe(total <= MAX_WRITE_BYTES, "The total size of the atomic write is too large.");
}

function mustBe(holds: boolean, message: string): void {
  if (!holds) throw new RefusedError(message);
}
