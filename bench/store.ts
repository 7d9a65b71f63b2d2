/** A real store whose traffic is counted. */

/** What went through. Bytes are those of values that are bytes. */
export interface Traffic {
  entriesRead: number;
  bytesRead: number;
  commits: number;
  sets: number;
  bytesSet: number;
}

/** The same store, and what went through since. */
export function counted(kv: Deno.Kv): { readonly kv: Deno.Kv; readonly traffic: Traffic } {
  const traffic: Traffic = { entriesRead: 0, bytesRead: 0, commits: 0, sets: 0, bytesSet: 0 };
  const read = <Entry extends { readonly value: unknown }>(entry: Entry): Entry => {
    traffic.entriesRead++;
    traffic.bytesRead += entry.value instanceof Uint8Array ? entry.value.length : 0;
    return entry;
  };
  const proxy = new Proxy(kv, {
    get(target, name): unknown {
      switch (name) {
        case "get":
          return async (key: Deno.KvKey) => read(await target.get(key));
        case "getMany":
          return async (keys: readonly Deno.KvKey[]) =>
            (await target.getMany<unknown[]>(keys)).map(read);
        case "list":
          return async function* (
            selector: Deno.KvListSelector,
            options?: Deno.KvListOptions,
          ): AsyncGenerator<Deno.KvEntry<unknown>> {
            for await (const entry of target.list(selector, options)) yield read(entry);
          };
        case "atomic":
          return () => {
            const operation = target.atomic();
            const set = operation.set.bind(operation);
            const commit = operation.commit.bind(operation);
            operation.set = (key, value) => {
              traffic.sets++;
              traffic.bytesSet += value instanceof Uint8Array ? value.length : 0;
              set(key, value);
              return operation;
            };
            operation.commit = () => {
              traffic.commits++;
              return commit();
            };
            return operation;
          };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { kv: proxy, traffic };
}
