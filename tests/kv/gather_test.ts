import assert from "node:assert/strict";
import fc from "fast-check";
import { type Change, objectSet, type Outcome } from "../../kv/change.ts";
import { commit, CommitTooLargeError, gatherCommits } from "../../kv/commit.ts";
import { MAX_MUTATIONS } from "../../kv/limits.ts";
import { openKv } from "../../kv/open.ts";
import { counted, type CountedKv } from "../support/counted_kv.ts";
import { within } from "../support/deadline.ts";
import { keysOf, withCommit } from "../support/kv.ts";

/** The same store, which gathers now, and what it is asked. */
function gathering(kv: Deno.Kv): CountedKv {
  const store = counted(kv);
  gatherCommits(store.kv);
  return store;
}

function setting(key: Deno.KvKey, versionstamp?: string | null): Change {
  const checks = versionstamp === undefined ? [] : [{ key, versionstamp }];
  return { sets: [objectSet(key, 1)], deletes: [], checks };
}

function kindsOf(outcomes: readonly Outcome[]): readonly string[] {
  return outcomes.map(({ kind }) => kind);
}

Deno.test("Changes that come while a commit is under way are made by the next one", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = gathering(kv);
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, (_, i) => commit(store.kv, setting([`${i}`], null))),
  );
  assert.deepEqual(kindsOf(outcomes), Array(8).fill("committed"));
  assert.equal(store.take().commits, 2);
  for (const [i, outcome] of outcomes.entries()) {
    const { versionstamp } = await kv.get([`${i}`]);
    assert.deepEqual(outcome, { kind: "committed", versionstamp });
  }
});

Deno.test("Only as many go together as one commit holds", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = gathering(kv);
  const many = (name: string): Change => ({
    sets: Array.from({ length: MAX_MUTATIONS / 2 }, (_, i) => objectSet([name, i], 1)),
    deletes: [],
  });
  const outcomes = await Promise.all(
    ["first", "a", "b", "c"].map((name) => commit(store.kv, many(name))),
  );
  assert.deepEqual(kindsOf(outcomes), Array(4).fill("committed"));
  // The first alone, a with b, c.
  assert.equal(store.take().commits, 3);
  assert.equal((await keysOf(kv)).length, 4 * MAX_MUTATIONS / 2);
});

Deno.test("A change that fills a commit by itself waits for none that is under way", async () => {
  using kv = await Deno.openKv(":memory:");
  const released = Promise.withResolvers<void>();
  const held = withCommit(kv, async (commit, before) => {
    if (before === 0) await within(released.promise, "the large change to be made");
    return await commit();
  });
  gatherCommits(held);
  const small = commit(held, setting(["small"]));
  const large = Array.from({ length: MAX_MUTATIONS }, (_, i) => objectSet(["large", i], 1));
  assert.equal((await commit(held, { sets: large })).kind, "committed");
  released.resolve();
  assert.equal((await small).kind, "committed");
});

Deno.test("A change whose check fails keeps none of those that came with it from being made", async () => {
  using kv = await Deno.openKv(":memory:");
  await kv.set(["b"], 0);
  const store = gathering(kv);
  const outcomes = await Promise.all([
    commit(store.kv, setting(["first"])),
    commit(store.kv, setting(["a"], null)),
    commit(store.kv, setting(["b"], null)),
    commit(store.kv, setting(["c"], null)),
  ]);
  assert.deepEqual(kindsOf(outcomes), ["committed", "committed", "conflict", "committed"]);
  assert.equal((await kv.get(["b"])).value, 0);
  assert.deepEqual(await keysOf(kv), [["a"], ["b"], ["c"], ["first"]]);
});

Deno.test("Of two changes that check and set the same key one is made", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = gathering(kv);
  const outcomes = await Promise.all([
    commit(store.kv, setting(["first"])),
    commit(store.kv, setting(["a"], null)),
    commit(store.kv, setting(["a"], null)),
  ]);
  assert.deepEqual(kindsOf(outcomes), ["committed", "committed", "conflict"]);
});

Deno.test("Of two changes that each set what the other checks one is made", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = gathering(kv);
  const crossed = (set: string, checked: string): Change => ({
    ...setting([set]),
    checks: [{ key: [checked], versionstamp: null }],
  });
  const outcomes = await Promise.all([
    commit(store.kv, setting(["first"])),
    commit(store.kv, crossed("a", "b")),
    commit(store.kv, crossed("b", "a")),
  ]);
  assert.deepEqual(kindsOf(outcomes), ["committed", "committed", "conflict"]);
  assert.deepEqual(await keysOf(kv), [["a"], ["first"]]);
});

Deno.test("What changes that go together delete is deleted, and what one sets after another's delete is there", async () => {
  using kv = await Deno.openKv(":memory:");
  for (const key of ["a", "b"]) await kv.set([key], 0);
  const store = gathering(kv);
  const outcomes = await Promise.all([
    commit(store.kv, setting(["first"])),
    commit(store.kv, { sets: [], deletes: [["a"]] }),
    commit(store.kv, { sets: [], deletes: [["b"]] }),
    commit(store.kv, setting(["b"])),
  ]);
  assert.deepEqual(kindsOf(outcomes), Array(4).fill("committed"));
  assert.equal(store.take().commits, 3);
  assert.deepEqual(await keysOf(kv), [["b"], ["first"]]);
});

Deno.test("What is not known of a commit is not known of any change that it made", async () => {
  using kv = await Deno.openKv(":memory:");
  const cause = new Error("connection lost");
  const losing = withCommit(kv, async (commit, before) => {
    const made = await commit();
    if (before === 1) throw cause;
    return made;
  });
  const store = gathering(losing);
  const outcomes = await Promise.all([
    commit(store.kv, setting(["first"])),
    commit(store.kv, setting(["a"], null)),
    commit(store.kv, setting(["b"], null)),
  ]);
  assert.deepEqual(outcomes.slice(1), Array(2).fill({ kind: "unknown", cause }));
  assert.deepEqual(await keysOf(kv), [["a"], ["b"], ["first"]]);
});

Deno.test("Changes that the store refuses together are made one by one", async () => {
  using kv = await Deno.openKv(":memory:");
  const refusal = new TypeError("Total mutation size too large (max 819200 bytes)");
  const refusing = withCommit(
    kv,
    (commit, before) => before === 1 ? Promise.reject(refusal) : commit(),
  );
  const store = gathering(refusing);
  const outcomes = await Promise.all(
    ["first", "a", "b"].map((name) => commit(store.kv, setting([name], null))),
  );
  assert.deepEqual(kindsOf(outcomes), Array(3).fill("committed"));
  assert.equal(store.take().commits, 4);
});

Deno.test("A change that the store refuses throws, and those that came with it are made", async () => {
  using kv = await Deno.openKv(":memory:");
  const refusal = new TypeError("Total mutation size too large (max 819200 bytes)");
  const refusing = withCommit(
    kv,
    (commit, before) => [1, 2].includes(before) ? Promise.reject(refusal) : commit(),
  );
  const store = gathering(refusing);
  const [first, a, b] = await within(
    Promise.allSettled(["first", "a", "b"].map((name) => commit(store.kv, setting([name])))),
    "each to be told",
  );
  assert.ok(first?.status === "fulfilled" && b?.status === "fulfilled");
  assert.ok(a?.status === "rejected" && a.reason instanceof CommitTooLargeError);
  assert.deepEqual(await keysOf(kv), [["b"], ["first"]]);
});

Deno.test("However many writers there are, no count is lost and none is made twice", async () => {
  const writer = fc.record({
    keys: fc.uniqueArray(fc.nat({ max: 4 }), { minLength: 1, maxLength: 3 }),
    times: fc.integer({ min: 1, max: 4 }),
  });
  const writers = fc.array(writer, { minLength: 1, maxLength: 12, size: "max" });
  await fc.assert(
    fc.asyncProperty(writers, async (writers) => {
      using kv = await Deno.openKv(":memory:");
      const store = gathering(kv);
      const wanted = new Map<number, number>();
      await Promise.all(writers.map(async ({ keys, times }) => {
        for (const key of keys) wanted.set(key, (wanted.get(key) ?? 0) + times);
        for (let made = 0; made < times;) {
          const entries = await Promise.all(keys.map((key) => kv.get<number>([key])));
          const outcome = await commit(store.kv, {
            sets: entries.map(({ key, value }) => objectSet(key, (value ?? 0) + 1)),
            deletes: [],
            checks: entries,
          });
          if (outcome.kind === "committed") made++;
        }
      }));
      for (const [key, count] of wanted) assert.equal((await kv.get([key])).value, count);
    }),
    { numRuns: 50 },
  );
});

Deno.test("A store of SQLite gathers commits", async () => {
  using kv = await openKv(":memory:");
  const outcomes = await Promise.all(
    ["first", "a", "b"].map((name) => commit(kv, setting([name], null))),
  );
  const stamps = outcomes.map((outcome) =>
    outcome.kind === "committed" ? outcome.versionstamp : undefined
  );
  assert.equal(stamps[1], stamps[2]);
  assert.notEqual(stamps[0], stamps[1]);
});
