/** What is asked of the store, by kind: tests count, they don't time. */
import { LIST_BATCH } from "../../kv/limits.ts";
import { withCommit, withList, withMethods } from "./kv.ts";

/** Operations so far. A list counts once for each LIST_BATCH entries, as the server asks for them. */
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

/** The same store, counting. */
export function counted(kv: Deno.Kv): CountedKv {
  let count: Count = { ...NOTHING };
  const lists = withList(kv, async function* (list): AsyncGenerator<Deno.KvEntry<unknown>> {
    let seen = 0;
    count.lists++;
    for await (const entry of list()) {
      if (seen > 0 && seen % LIST_BATCH === 0) count.lists++;
      seen++;
      count.listed++;
      yield entry;
    }
  });
  const commits = withCommit(lists, (commit) => {
    count.commits++;
    return commit();
  });
  return {
    kv: withMethods(commits, {
      get: (...asked: Parameters<Deno.Kv["get"]>) => {
        count.gets++;
        return kv.get(...asked);
      },
      getMany: (...asked: Parameters<Deno.Kv["getMany"]>) => {
        count.getManys++;
        return kv.getMany(...asked);
      },
    }),
    take: () => {
      const taken = count;
      count = { ...NOTHING };
      return taken;
    },
  };
}
