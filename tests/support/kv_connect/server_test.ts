/** The tests' KV Connect server beside the real store: what one does, the other does. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { dump } from "../kv.ts";
import { within } from "../deadline.ts";
import { type Fault, oneFault, type Operation, seededFaults } from "./faults.ts";
import { type ConnectServer, startConnectServer } from "./server.ts";

const KEYS: readonly Deno.KvKey[] = [
  ["a"],
  ["a", 1],
  ["a", 2],
  ["a", "b"],
  ["b", new Uint8Array([0, 255])],
  ["c", 1n],
  ["c", true],
];

type Step =
  | { readonly do: "set"; readonly key: Deno.KvKey; readonly value: unknown }
  | { readonly do: "delete"; readonly key: Deno.KvKey }
  | { readonly do: "sum" | "min" | "max"; readonly key: Deno.KvKey; readonly by: bigint };

interface Commit {
  /** Keys that must be as they were two commits ago, or at all. */
  readonly unchanged: readonly Deno.KvKey[];
  readonly absent: readonly Deno.KvKey[];
  readonly steps: readonly Step[];
}

const key = fc.constantFrom(...KEYS);
/** Numbers have keys of their own: there is no sum of a text. */
const numberKey = fc.constantFrom<Deno.KvKey[]>(["n", 1], ["n", 2]);
const value = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.uint8Array({ maxLength: 40 }),
  fc.record({ a: fc.string(), b: fc.array(fc.boolean()) }, { noNullPrototype: true }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("set"), key, value }, { noNullPrototype: true }),
  fc.record({ do: fc.constant("delete"), key: fc.oneof(key, numberKey) }, {
    noNullPrototype: true,
  }),
  fc.record({
    do: fc.constantFrom("sum", "min", "max"),
    key: numberKey,
    by: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }, { noNullPrototype: true }),
);
const commit: fc.Arbitrary<Commit> = fc.record({
  unchanged: fc.array(key, { maxLength: 3 }),
  absent: fc.array(key, { maxLength: 1 }),
  steps: fc.array(step, { minLength: 1, maxLength: 6 }),
});

/** One store's own view: versionstamps differ between stores, what they hold must not. */
class Side {
  #seen = new Map<Deno.KvKey, string | null>();
  #before = new Map<Deno.KvKey, string | null>();

  constructor(readonly kv: Deno.Kv) {}

  async commit({ unchanged, absent, steps }: Commit): Promise<boolean> {
    const operation = this.kv.atomic();
    for (const key of unchanged) {
      operation.check({ key, versionstamp: this.#before.get(key) ?? null });
    }
    for (const key of absent) operation.check({ key, versionstamp: null });
    for (const step of steps) {
      if (step.do === "set") operation.set(step.key, step.value);
      else if (step.do === "delete") operation.delete(step.key);
      else operation[step.do](step.key, step.by);
    }
    const { ok } = await operation.commit();
    this.#before = this.#seen;
    this.#seen = new Map();
    for (const key of KEYS) this.#seen.set(key, (await this.kv.get(key)).versionstamp);
    return ok;
  }

  async list(selector: Deno.KvListSelector, options: Deno.KvListOptions): Promise<unknown> {
    return await Array.fromAsync(
      this.kv.list(selector, options),
      ({ key, value }) => ({ key, value }),
    );
  }

  async many(): Promise<unknown> {
    const entries = await this.kv.getMany<unknown[]>([...KEYS]);
    return entries.map(({ key, value }) => ({ key, value }));
  }
}

Deno.test("Whatever is committed, the tests' KV Connect server holds and lists what the real store does", async () => {
  await using server = startConnectServer();
  using connected = await server.open();
  await fc.assert(
    fc.asyncProperty(fc.array(commit, { minLength: 1, maxLength: 15 }), async (commits) => {
      using memory = await Deno.openKv(":memory:");
      for (const { key } of await dump(connected)) await connected.delete(key);
      const [ours, theirs] = [new Side(connected), new Side(memory)];
      for (const commit of commits) {
        assert.equal(await ours.commit(commit), await theirs.commit(commit));
      }
      for (const reverse of [false, true]) {
        for (const limit of [1, 2, 100]) {
          for (
            const selector of [
              { prefix: [] },
              { prefix: ["a"] },
              { start: ["a", 2], end: ["c"] },
              { prefix: ["a"], start: ["a", 2] },
            ]
          ) {
            const options = { reverse, limit, batchSize: 2 };
            assert.deepEqual(
              await ours.list(selector, options),
              await theirs.list(selector, options),
            );
          }
        }
      }
      assert.deepEqual(await ours.many(), await theirs.many());
    }),
    { numRuns: 25 },
  );
});

Deno.test("More than the real store takes is refused, and nothing of it is written", async () => {
  await using server = startConnectServer();
  using kv = await server.open();
  const checks = Array.from({ length: 11 }, (_, i) => ({ key: ["x", i], versionstamp: null }));
  await assert.rejects(kv.atomic().check(...checks).set(["a"], 1).commit(), /Too many checks/);
  const large = kv.atomic();
  for (let i = 0; i < 14; i++) large.set(["a", i], new Uint8Array(65_536));
  await assert.rejects(large.commit(), /too large/);
  assert.equal(server.store.size, 0);
});

Deno.test("A wrong access token is refused", async () => {
  await using server = startConnectServer("another one");
  await assert.rejects(server.open(), /401 Unauthorized: Invalid access token/);
});

Deno.test("A watch tells of another client's commits, also after it was broken", async () => {
  await using server = startConnectServer();
  using watching = await server.open();
  using writing = await server.open();
  const values = watching.watch<[number, number]>([["a"], ["b"]]).getReader();
  const next = async (): Promise<readonly unknown[]> => {
    const { value } = await within(values.read(), "a change");
    return value?.map((entry) => entry.value) ?? [];
  };
  assert.deepEqual(await next(), [null, null]);
  await writing.set(["a"], 1);
  assert.deepEqual(await next(), [1, null]);
  await writing.set(["other"], 1);
  await writing.set(["b"], 2);
  // Deno's client (2.9.6) tells of a key that the frame calls unchanged as of one that is gone.
  assert.deepEqual(await next(), [null, 2]);
  server.breakWatches();
  await writing.set(["a"], 3);
  let told = await next();
  // Where it was begun again before that, it first tells what there was.
  while (told[0] === 1) told = await next();
  assert.equal(told[0], 3);
  await values.cancel();
});

/** What a guarded commit comes to at Deno's client, and whether it was made. */
async function commitWith(server: ConnectServer, fault: Fault): Promise<unknown> {
  using kv = await server.open();
  const entry = await kv.get(["a"]);
  server.faults = oneFault("atomic_write", fault);
  const told = await kv.atomic().check(entry).set(["a"], fault).commit()
    .then(({ ok }) => ok ? "committed" : "conflict", (cause) => String(cause));
  return { told, made: (await kv.get(["a"])).value === fault };
}

Deno.test("Of a commit that went through with its answer lost, Deno's client tells a conflict, as it tries again by itself", async () => {
  await using server = startConnectServer();
  assert.deepEqual(await commitWith(server, "refuse"), { told: "committed", made: true });
  assert.deepEqual(await commitWith(server, "delay"), { told: "committed", made: true });
  assert.deepEqual(await commitWith(server, "lose"), { told: "conflict", made: true });
  assert.deepEqual(await commitWith(server, "cut"), {
    told: "Error: KV Connect failed to decode response",
    made: true,
  });
});

Deno.test("The faults of a seed are the same ones each time, at about their rates", () => {
  const rates = { atomic_write: { refuse: 10, lose: 20 } };
  const drawn = (operation: Operation): readonly (Fault | undefined)[] => {
    const faults = seededFaults(7, rates);
    return Array.from({ length: 2000 }, () => faults(operation));
  };
  const faults = drawn("atomic_write");
  assert.deepEqual(drawn("atomic_write"), faults);
  const count = (fault: Fault): number => faults.filter((other) => other === fault).length;
  assert.ok(count("refuse") > 150 && count("refuse") < 250, `${count("refuse")}`);
  assert.ok(count("lose") > 330 && count("lose") < 470, `${count("lose")}`);
  assert.equal(count("cut") + count("delay"), 0);
  assert.ok(drawn("watch").every((fault) => fault === undefined));
});
