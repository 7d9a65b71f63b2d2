/** A real store whose traffic is counted. */
import { serialize } from "node:v8";
import { keySize } from "../kv/change.ts";
import { withMethods } from "../tests/support/kv.ts";

/** What went through. Bytes are those that the store keeps: of values that aren't bytes, V8's. */
export interface Traffic {
  entriesRead: number;
  commits: number;
  sets: number;
  valueBytesSet: number;
  keyBytesSet: number;
}

/** Told of each entry as it goes through. */
export interface StoreObserver {
  readonly read?: (key: Deno.KvKey) => void;
  readonly set?: (key: Deno.KvKey, value: unknown) => void;
}

/** The same store, and what went through since. */
export function counted(
  kv: Deno.Kv,
  observer: StoreObserver = {},
): { readonly kv: Deno.Kv; readonly traffic: Traffic } {
  const traffic: Traffic = {
    entriesRead: 0,
    commits: 0,
    sets: 0,
    valueBytesSet: 0,
    keyBytesSet: 0,
  };
  const read = <Entry extends { readonly key: Deno.KvKey }>(entry: Entry): Entry => {
    traffic.entriesRead++;
    observer.read?.(entry.key);
    return entry;
  };
  const methods = {
    get: async (key: Deno.KvKey) => read(await kv.get(key)),
    getMany: async (keys: readonly Deno.KvKey[]) => (await kv.getMany<unknown[]>(keys)).map(read),
    list: async function* (
      ...asked: Parameters<Deno.Kv["list"]>
    ): AsyncGenerator<Deno.KvEntry<unknown>> {
      for await (const entry of kv.list(...asked)) yield read(entry);
    },
    atomic: (): Deno.AtomicOperation => {
      const operation = kv.atomic();
      const set = operation.set.bind(operation);
      const commit = operation.commit.bind(operation);
      operation.set = (key, value) => {
        traffic.sets++;
        traffic.valueBytesSet += value instanceof Uint8Array
          ? value.length
          : serialize(value).length;
        traffic.keyBytesSet += keySize(key);
        observer.set?.(key, value);
        set(key, value);
        return operation;
      };
      operation.commit = () => {
        traffic.commits++;
        return commit();
      };
      return operation;
    },
  };
  return { kv: withMethods(kv, methods), traffic };
}
