/** The real store, looked at from outside, or with commits that fail. */

/** The keys of all that is in the store, in order. */
export async function keysOf(kv: Deno.Kv): Promise<readonly Deno.KvKey[]> {
  return (await dump(kv)).map(({ key }) => key);
}

/** All that is in the store, in order, with versionstamps. */
export async function dump(kv: Deno.Kv): Promise<readonly Deno.KvEntry<unknown>[]> {
  return await Array.fromAsync(kv.list<unknown>({ prefix: [] }));
}

type CommitResult = Deno.KvCommitResult | Deno.KvCommitError;

/**
 * The same store, of which `replace` makes the commits: it may commit, throw, or both.
 *
 * @param replace gets the real commit, and how many there were before
 */
export function withCommit(
  kv: Deno.Kv,
  replace: (commit: () => Promise<CommitResult>, before: number) => Promise<CommitResult>,
): Deno.Kv {
  let commits = 0;
  return new Proxy(kv, {
    get(target, name): unknown {
      if (name === "atomic") {
        return (): Deno.AtomicOperation => {
          const operation = target.atomic();
          const commit = operation.commit.bind(operation);
          operation.commit = () => replace(commit, commits++);
          return operation;
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/**
 * What a commit can come to whose answer is lost. Over KV Connect Deno's client tries again by itself
 * what went through, and then its own change is in the way of it.
 */
export const LOST = {
  "was made": async (commit: () => Promise<CommitResult>): Promise<CommitResult> => {
    await commit();
    throw new Error("connection lost");
  },
  "was made, and is told as a conflict": async (
    commit: () => Promise<CommitResult>,
  ): Promise<CommitResult> => {
    await commit();
    return { ok: false };
  },
  "was not made": (): Promise<CommitResult> => Promise.reject(new Error("connection lost")),
} as const;

/** The same store, with `first` run once, before the first list that it is asked for. */
export function beforeFirstList(kv: Deno.Kv, first: () => Promise<void>): Deno.Kv {
  let done = false;
  return new Proxy(kv, {
    get(target, name): unknown {
      if (name === "list" && !done) {
        done = true;
        return async function* (
          selector: Deno.KvListSelector,
          options?: Deno.KvListOptions,
        ): AsyncGenerator<Deno.KvEntry<unknown>> {
          await first();
          yield* target.list(selector, options);
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/**
 * The same store, of which `replace` makes the watches.
 *
 * @param replace gets the real stream of a new watch, and how many watches there were before
 */
export function withWatch(
  kv: Deno.Kv,
  replace: (
    watch: () => ReadableStream<Deno.KvEntryMaybe<unknown>[]>,
    before: number,
  ) => ReadableStream<Deno.KvEntryMaybe<unknown>[]>,
): Deno.Kv {
  let watches = 0;
  return new Proxy(kv, {
    get(target, name): unknown {
      if (name === "watch") {
        return (keys: readonly Deno.KvKey[]) =>
          replace(() => target.watch<unknown[]>([...keys]), watches++);
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
