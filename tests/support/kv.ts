/** The real store, looked at from outside, or with commits that fail. */

/** The keys of all that is in the store, in order, but what stays of a user who has made a graph. */
export async function keysOf(kv: Deno.Kv): Promise<readonly Deno.KvKey[]> {
  return (await dump(kv)).map(({ key }) => key);
}

/** The same with values and versionstamps. */
export async function dump(kv: Deno.Kv): Promise<readonly Deno.KvEntry<unknown>[]> {
  const entries = await Array.fromAsync(kv.list<unknown>({ prefix: [] }));
  return entries.filter(({ key: [name] }) => name !== "creation");
}

/** The same store, with these methods in the place of its own. */
export function withMethods(kv: Deno.Kv, methods: Readonly<Record<string, unknown>>): Deno.Kv {
  return new Proxy(kv, {
    get(target, name): unknown {
      if (typeof name === "string" && Object.hasOwn(methods, name)) return methods[name];
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/**
 * The same store, of which `replace` makes the lists.
 *
 * @param replace gets the real list, and what is asked for
 */
export function withList(
  kv: Deno.Kv,
  replace: (
    list: () => Deno.KvListIterator<unknown>,
    selector: Deno.KvListSelector,
  ) => AsyncIterableIterator<Deno.KvEntry<unknown>>,
): Deno.Kv {
  return withMethods(kv, {
    list: (selector: Deno.KvListSelector, options?: Deno.KvListOptions) =>
      replace(() => kv.list<unknown>(selector, options), selector),
  });
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
  return withMethods(kv, {
    atomic: (): Deno.AtomicOperation => {
      const operation = kv.atomic();
      const commit = operation.commit.bind(operation);
      operation.commit = () => replace(commit, commits++);
      return operation;
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

/**
 * Does the work once for each of its commits and each way in which that one's answer can be lost.
 *
 * @param work given a store of its own each time, and the same as one that loses the answer
 */
export async function losingEach(
  work: (store: Deno.Kv, losing: Deno.Kv) => Promise<unknown>,
): Promise<void> {
  for (const lose of Object.values(LOST)) {
    for (let n = 0, commits = 1; n < commits; n++) {
      using store = await Deno.openKv(":memory:");
      let seen = 0;
      const losing = withCommit(store, async (commit, before) => {
        seen++;
        return before === n ? await lose(commit) : await commit();
      });
      await work(store, losing);
      commits = seen;
    }
  }
}

/**
 * Does the work with a store as a process has it that is killed at its commit n, made or not; answers
 * whether it was.
 */
export async function killedAt(
  kv: Deno.Kv,
  n: number,
  made: boolean,
  work: (kv: Deno.Kv) => Promise<unknown>,
): Promise<boolean> {
  const killed = Promise.withResolvers<boolean>();
  const dying = withCommit(kv, async (commit, before) => {
    if (before < n) return await commit();
    if (made) await commit();
    killed.resolve(true);
    return await new Promise<never>(() => {});
  });
  return await Promise.race([killed.promise, work(dying).then(() => false)]);
}

/** The same store, with `first` run once, before the first list that it is asked for. */
export function beforeFirstList(kv: Deno.Kv, first: () => Promise<void>): Deno.Kv {
  let done = false;
  return withList(kv, async function* (list): AsyncGenerator<Deno.KvEntry<unknown>> {
    if (!done) {
      done = true;
      await first();
    }
    yield* list();
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
  return withMethods(kv, {
    watch: (keys: readonly Deno.KvKey[]) =>
      replace(() => kv.watch<unknown[]>([...keys]), watches++),
  });
}
