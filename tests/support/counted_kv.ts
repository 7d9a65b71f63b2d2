/** What is asked of the store, by kind: tests count, they don't time. */

/** Operations so far. A list counts once for each 500 entries, as the server asks for them. */
export interface Count {
  gets: number;
  getManys: number;
  lists: number;
  /** Entries that lists gave. */
  listed: number;
  commits: number;
}

export const NOTHING: Readonly<Count> = Object.freeze({
  gets: 0,
  getManys: 0,
  lists: 0,
  listed: 0,
  commits: 0,
});

export interface CountedKv {
  /** The same store. */
  readonly kv: Deno.Kv;
  /** What was asked since the last call of this. */
  take(): Count;
}

const BATCH = 500;

/** The same store, counting. */
export function counted(kv: Deno.Kv): CountedKv {
  let count: Count = { ...NOTHING };
  const proxy = new Proxy(kv, {
    get(target, name): unknown {
      if (name === "list") {
        return async function* (
          selector: Deno.KvListSelector,
          options?: Deno.KvListOptions,
        ): AsyncGenerator<Deno.KvEntry<unknown>> {
          let seen = 0;
          count.lists++;
          for await (const entry of target.list(selector, options)) {
            if (seen > 0 && seen % BATCH === 0) count.lists++;
            seen++;
            count.listed++;
            yield entry;
          }
        };
      }
      if (name === "atomic") {
        return (): Deno.AtomicOperation => {
          const operation = target.atomic();
          const commit = operation.commit.bind(operation);
          operation.commit = (): ReturnType<typeof commit> => {
            count.commits++;
            return commit();
          };
          return operation;
        };
      }
      if (name === "get") count.gets++;
      if (name === "getMany") count.getManys++;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return {
    kv: proxy,
    take: () => {
      const taken = count;
      count = { ...NOTHING };
      return taken;
    },
  };
}
