import assert from "node:assert/strict";
import fc from "fast-check";
import { bytesSet, type KvSet, objectSet } from "../../kv/change.ts";
import {
  commit,
  commitOrThrow,
  CommitTooLargeError,
  deleteRange,
  writeInCommits,
} from "../../kv/commit.ts";
import { MAX_COMMIT_BYTES, MAX_MUTATIONS, MAX_VALUE_BYTES } from "../../kv/limits.ts";
import { within } from "../support/deadline.ts";
import { dump, keysOf, withCommit } from "../support/kv.ts";

const locked = (): TypeError => new TypeError("database is locked");

function numbered(count: number, bytes: number, prefix: Deno.KvKey = ["x"]): KvSet[] {
  return Array.from(
    { length: count },
    (_, i) => bytesSet([...prefix, i], new Uint8Array(bytes).fill(i)),
  );
}

/** The store, and how many commits it has seen. */
function counted(kv: Deno.Kv): { readonly kv: Deno.Kv; readonly commits: () => number } {
  let commits = 0;
  return {
    kv: withCommit(kv, (commit) => {
      commits++;
      return commit();
    }),
    commits: () => commits,
  };
}

Deno.test("A change is committed whole", async () => {
  using kv = await Deno.openKv(":memory:");
  await kv.set(["old"], 1);
  const outcome = await commit(kv, {
    sets: [objectSet(["a"], { b: 1 }), bytesSet(["c"], new Uint8Array([1]))],
    deletes: [["old"]],
    checks: [{ key: ["a"], versionstamp: null }],
  });
  assert.ok(outcome.kind === "committed");
  const { versionstamp } = outcome;
  assert.deepEqual(await dump(kv), [
    { key: ["a"], value: { b: 1 }, versionstamp },
    { key: ["c"], value: new Uint8Array([1]), versionstamp },
  ]);
});

Deno.test("A check that fails is a conflict and nothing is written", async () => {
  using kv = await Deno.openKv(":memory:");
  await kv.set(["a"], 1);
  const before = await dump(kv);
  const outcome = await commit(kv, {
    sets: [objectSet(["b"], 2)],
    deletes: [["a"]],
    checks: [{ key: ["a"], versionstamp: null }],
  });
  assert.deepEqual(outcome, { kind: "conflict" });
  assert.deepEqual(await dump(kv), before);
});

Deno.test("A change beyond a limit is refused before anything is written", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = counted(kv);
  const long = "k".repeat(1900);
  const tooLarge = {
    mutations: { sets: numbered(MAX_MUTATIONS, 1), deletes: [["y"]] },
    bytes: { sets: numbered(MAX_COMMIT_BYTES / 50_000, 50_000), deletes: [] },
    "bytes of keys": { sets: [], deletes: Array.from({ length: 43 }, (_, i) => [long, i]) },
    // The store writes each NUL as two bytes.
    "bytes of keys with NUL": {
      sets: [],
      deletes: Array.from({ length: 430 }, (_, i) => ["k\0".repeat(60), i]),
    },
    "bytes of one value": { sets: numbered(1, MAX_VALUE_BYTES + 1), deletes: [] },
    checks: {
      sets: [],
      deletes: [],
      checks: Array.from({ length: 11 }, (_, i) => ({ key: ["x", i], versionstamp: null })),
    },
  };
  for (const [what, change] of Object.entries(tooLarge)) {
    await assert.rejects(commit(store.kv, change), CommitTooLargeError, what);
  }
  assert.equal(store.commits(), 0);
  assert.deepEqual(await dump(kv), []);
});

Deno.test("What we count as fitting, the store takes", async () => {
  using kv = await Deno.openKv(":memory:");
  const long = "k\0".repeat(60);
  const fits = [
    { sets: numbered(MAX_MUTATIONS, 1), deletes: [] },
    { sets: numbered(12, MAX_VALUE_BYTES), deletes: [] },
    { sets: numbered(MAX_MUTATIONS, 700), deletes: [] },
    { sets: [], deletes: Array.from({ length: 415 }, (_, i) => [long, i]) },
    { sets: numbered(300, 1, ["ü".repeat(100)]), deletes: [] },
  ];
  for (const change of fits) assert.equal((await commit(kv, change)).kind, "committed");
});

Deno.test("The size of an object is never counted too low", async () => {
  using kv = await Deno.openKv(":memory:");
  const value = { text: "ж".repeat(4000), number: 0.1, list: Array(800).fill(1.5) };
  const { size } = objectSet(["x"], value);
  assert.ok(size >= 2 * 4000 + 9 * 800 && size < MAX_VALUE_BYTES, `${size}`);
  assert.equal(
    (await commit(kv, { sets: [objectSet(["x"], value)], deletes: [] })).kind,
    "committed",
  );
});

Deno.test("A commit that throws is unknown, whether it was written or not", async () => {
  using kv = await Deno.openKv(":memory:");
  const cause = new Error("connection reset");
  const change = { sets: [objectSet(["a"], 1)], deletes: [] };

  const before = withCommit(kv, () => Promise.reject(cause));
  assert.deepEqual(await commit(before, change), { kind: "unknown", cause });
  assert.deepEqual(await keysOf(kv), []);

  const after = withCommit(kv, async (commit) => {
    await commit();
    throw cause;
  });
  assert.deepEqual(await commit(after, change), { kind: "unknown", cause });
  assert.deepEqual(await keysOf(kv), [["a"]]);

  await assert.rejects(commitOrThrow(before, change), { message: "Cannot commit a change", cause });
});

Deno.test("A commit that throws something else than that the database is locked is not made again", async () => {
  using kv = await Deno.openKv(":memory:");
  const change = { sets: [objectSet(["a"], 1)], deletes: [] };
  for (const cause of [new TypeError("connection lost"), new Error("database is locked")]) {
    const losing = withCommit(kv, (commit, before) => before ? commit() : Promise.reject(cause));
    assert.deepEqual(await commit(losing, change), { kind: "unknown", cause });
  }
  assert.deepEqual(await keysOf(kv), []);
});

Deno.test("A locked database is tried again", async () => {
  using kv = await Deno.openKv(":memory:");
  const busy = withCommit(kv, (commit, before) => before < 5 ? Promise.reject(locked()) : commit());
  const outcome = await commit(busy, { sets: [objectSet(["a"], 1)], deletes: [] });
  assert.equal(outcome.kind, "committed");
  assert.deepEqual(await keysOf(kv), [["a"]]);
});

Deno.test("A database that stays locked is a conflict", async () => {
  using kv = await Deno.openKv(":memory:");
  const busy = withCommit(kv, () => Promise.reject(locked()));
  const change = { sets: [objectSet(["a"], 1)], deletes: [] };
  assert.deepEqual(await commit(busy, change, 10), { kind: "conflict", cause: locked() });
  assert.deepEqual(await keysOf(kv), []);
});

Deno.test("Sets are packed into as few commits as the limits allow", async () => {
  const cases = [
    { sets: numbered(1000, 10), commits: 1 },
    { sets: numbered(1001, 10), commits: 2 },
    { sets: numbered(27, 60_000), commits: 3 },
    { sets: numbered(300, 10, ["k".repeat(985)]), commits: 4 },
    { sets: [], commits: 1 },
  ];
  for (const { sets, commits } of cases) {
    using kv = await Deno.openKv(":memory:");
    const store = counted(kv);
    assert.equal((await writeInCommits(store.kv, sets)).kind, "committed");
    assert.equal(store.commits(), commits);
    assert.deepEqual(
      (await dump(kv)).map(({ key, value }) => ({ key, value })),
      sets.map(({ key, value }) => ({ key, value })),
    );
  }
});

Deno.test("Any sets are written, whatever their sizes", async () => {
  const sizes = fc.array(fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: MAX_VALUE_BYTES })), {
    maxLength: 60,
    size: "max",
  });
  await fc.assert(
    fc.asyncProperty(sizes, async (sizes) => {
      using kv = await Deno.openKv(":memory:");
      const sets = sizes.map((size, i) => bytesSet(["x", i], new Uint8Array(size).fill(i)));
      assert.equal((await writeInCommits(kv, sets)).kind, "committed");
      assert.deepEqual((await dump(kv)).map(({ value }) => value), sets.map(({ value }) => value));
    }),
    { numRuns: 20 },
  );
});

Deno.test("Staged sets stop at the first commit whose guard no longer holds", async () => {
  using kv = await Deno.openKv(":memory:");
  const { versionstamp } = await kv.set(["guard"], 1);
  const moving = withCommit(kv, async (commit, before) => {
    if (before === 2) await kv.set(["guard"], 2);
    return await commit();
  });
  const guard = [{ key: ["guard"], versionstamp }];
  const outcome = await writeInCommits(moving, numbered(4500, 1), guard);
  assert.deepEqual(outcome, { kind: "conflict" });
  assert.equal((await keysOf(kv)).length, 1 + 2000);
  assert.deepEqual(await writeInCommits(kv, [], guard), { kind: "conflict" });
});

Deno.test("Staged sets stop at a commit that isn't known to be made, and the one beside it", async () => {
  using kv = await Deno.openKv(":memory:");
  const cause = new Error("connection lost");
  const losing = withCommit(
    kv,
    (commit, before) => before === 1 ? Promise.reject(cause) : commit(),
  );
  assert.deepEqual(await writeInCommits(losing, numbered(4500, 1)), { kind: "unknown", cause });
  assert.deepEqual(
    (await keysOf(kv)).map(([, i]) => Number(i)),
    [...Array(MAX_MUTATIONS).keys()].flatMap((i) => [i, i + 2 * MAX_MUTATIONS]).toSorted((a, b) =>
      a - b
    ),
  );
});

Deno.test("Two commits are under way at a time, but none before the set that nobody may see without it", async () => {
  for (const isBeforeNext of [false, true]) {
    using store = await Deno.openKv(":memory:");
    let [underWay, most] = [0, 0];
    const kv = withCommit(store, async (commit) => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 5));
      const made = await commit();
      underWay--;
      return made;
    });
    const sets = numbered(4 * MAX_MUTATIONS, 1).map((set, i): KvSet =>
      isBeforeNext && i % MAX_MUTATIONS === MAX_MUTATIONS - 1 ? { ...set, isBeforeNext: true } : set
    );
    assert.equal((await writeInCommits(kv, sets)).kind, "committed");
    assert.equal(most, isBeforeNext ? 1 : 2);
  }
});

Deno.test("Staged sets leave room for their guard", async () => {
  using kv = await Deno.openKv(":memory:");
  const guard = Array.from({ length: 10 }, (_, i) => ({
    key: ["g".repeat(1900), i],
    versionstamp: null,
  }));
  const sets = numbered(150, 10, ["k".repeat(985)]);
  assert.equal((await writeInCommits(kv, sets, guard)).kind, "committed");
  assert.equal((await keysOf(kv)).length, sets.length);
});

Deno.test("The sets of the next commit are made while one is under way", async () => {
  using kv = await Deno.openKv(":memory:");
  const made = Promise.withResolvers<void>();
  const sets = function* (): Generator<KvSet> {
    yield* numbered(MAX_MUTATIONS + 1, 1);
    made.resolve();
    yield* numbered(1, 1, ["y"]);
  };
  const waiting = withCommit(kv, async (commit, before) => {
    if (before === 0) await within(made.promise, "the next sets to be made");
    return await commit();
  });
  assert.equal((await writeInCommits(waiting, sets())).kind, "committed");
  assert.equal((await keysOf(kv)).length, MAX_MUTATIONS + 2);
});

Deno.test("Sets that can't be made end the writing after the commit that is under way", async () => {
  using store = await Deno.openKv(":memory:");
  let underWay = 0;
  const kv = withCommit(store, async (commit) => {
    underWay++;
    await new Promise((resolve) => setTimeout(resolve, 5));
    const made = await commit();
    underWay--;
    return made;
  });
  const sets = function* (): Generator<KvSet> {
    yield* numbered(MAX_MUTATIONS + 1, 1);
    throw new Error("no more");
  };
  await assert.rejects(writeInCommits(kv, sets()), /no more/);
  assert.equal(underWay, 0);
  assert.equal((await keysOf(kv)).length, MAX_MUTATIONS);
});

Deno.test("A commit that throws while the one before it is under way is told in its turn", async () => {
  using store = await Deno.openKv(":memory:");
  const kv = withCommit(store, async (commit, before) => {
    if (before === 1) throw new TypeError("Value too large (max 65536 bytes)");
    if (before === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    return await commit();
  });
  await assert.rejects(writeInCommits(kv, numbered(3 * MAX_MUTATIONS, 1)), CommitTooLargeError);
  assert.equal((await keysOf(store)).length % MAX_MUTATIONS, 0);
});

Deno.test("All keys of a prefix are deleted in full commits, and no other", async () => {
  using kv = await Deno.openKv(":memory:");
  await writeInCommits(kv, [...numbered(2500, 10, ["a", "b"]), ...numbered(3, 10, ["a", "bc"])]);
  const store = counted(kv);
  await deleteRange(store.kv, ["a", "b"]);
  assert.equal(store.commits(), 3);
  assert.deepEqual(await keysOf(kv), [["a", "bc", 0], ["a", "bc", 1], ["a", "bc", 2]]);
  await deleteRange(store.kv, ["a", "b"]);
  assert.equal(store.commits(), 3);
});

Deno.test("A deletion that was cut off is finished by doing it again", async () => {
  using kv = await Deno.openKv(":memory:");
  await writeInCommits(kv, numbered(2500, 10));
  const cut = withCommit(kv, (commit, before) => {
    return before === 1 ? Promise.reject(new Error("cut")) : commit();
  });
  await assert.rejects(deleteRange(cut, ["x"]));
  assert.equal((await keysOf(kv)).length, 1500);
  await deleteRange(kv, ["x"]);
  assert.deepEqual(await keysOf(kv), []);
});
