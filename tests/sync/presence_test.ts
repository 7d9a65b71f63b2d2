import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { openBlobStores } from "../../assets/open.ts";
import { createGraph } from "../../kv/graphs.ts";
import { presentPrefix } from "../../kv/keys.ts";
import { putMember, readCircle, removeMember } from "../../kv/members.ts";
import { readPresent, writePresent } from "../../kv/present.ts";
import { type GraphId, newGraphId, type UserId } from "../../protocol/ids.ts";
import { byChannel } from "../../sync/channel.ts";
import { openFanout } from "../../sync/fanout.ts";
import { openGraphs } from "../../sync/graphs.ts";
import { Hub } from "../../sync/hub.ts";
import type { News } from "../../sync/news.ts";
import { Presence, PRESENCE_TIMES, type PresenceTimes } from "../../sync/presence.ts";
import { sweepPeople } from "../../sync/sweep.ts";
import { counted } from "../support/counted_kv.ts";
import { until, within } from "../support/deadline.ts";
import { TestGuest } from "../support/guest.ts";
import { keysOf, withCommit, withMethods } from "../support/kv.ts";
import { userOf } from "../support/user.ts";

const [alice, bob] = [userOf("alice"), userOf("bob")];
/** Nothing is done by itself in the time of a test but what `quick` makes so. */
const SLOW: PresenceTimes = {
  quietMs: 3_600_000,
  leaseMs: 7_200_000,
  tickMs: 3_600_000,
  patienceMs: 3_600_000,
};

async function newGraph(kv: Deno.Kv): Promise<GraphId> {
  const graph = newGraphId();
  await createGraph(kv, graph, { owner: alice, name: "notes", createdAt: 1 });
  const circle = await readCircle(kv, graph, [bob]);
  assert.ok(circle !== undefined);
  await putMember(kv, circle, bob, { role: "member", invitedBy: alice, createdAt: 2 });
  return graph;
}

/** An instance that hears of others by no way at all, but by looking once in a while. */
class Instance implements AsyncDisposable {
  readonly presence: Presence;
  /** How often it has told the others that there is news. */
  told = 0;
  /** Whether what a watch brings of its own writes waits until `hearOwn`. */
  isDeaf = false;
  #late: News[] = [];
  #deliver: ((news: News) => void) | undefined;
  #wake: (() => void) | undefined;
  /** A watch also sees what this instance itself has written. */
  readonly #fanout = openFanout(new Hub(), [(_hub, deliver) => ({
    carry: (news) => {
      if (news.kind !== "people") return;
      this.#deliver = deliver;
      if (this.isDeaf) this.#late.push(news);
      else deliver(news);
      this.told++;
      this.#wake?.();
    },
    close: () => Promise.resolve(),
  })]);

  constructor(kv: Deno.Kv, times: Partial<PresenceTimes>, now: () => number = () => Date.now()) {
    this.presence = new Presence({ kv, fanout: this.#fanout, now, times: { ...SLOW, ...times } });
  }

  /** A socket of a client of today; what it edits is nothing. */
  enter(graph: GraphId, id: UserId): { readonly guest: TestGuest; readonly leave: () => void } {
    const guest = new TestGuest();
    const leave = this.presence.enter(graph, { id }, guest);
    this.presence.edit(guest, undefined);
    return { guest, leave };
  }

  /** Of several a watch may tell the last alone. */
  hearOwn(): void {
    const last = this.#late.splice(0).at(-1);
    if (last !== undefined) this.#deliver?.(last);
  }

  async untilTold(): Promise<void> {
    if (this.told > 0) return;
    await within(new Promise<void>((resolve) => this.#wake = resolve), "news for the others");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.presence.close();
  }
}

Deno.test("Without any news instances find each other by looking once in a while", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  await using here = new Instance(kv, { tickMs: 5 });
  await using there = new Instance(kv, { tickMs: 5 });
  const a = here.enter(graph, alice);
  const b = there.enter(graph, bob);
  await a.guest.until("here: alice, bob");
  await b.guest.until("here: alice, bob");
  b.leave();
  // The next write is an hour away, but no lease is without its instance.
  await there.presence.close();
  await a.guest.until("here: alice");
});

Deno.test("News of people is a reason to look at once", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const fanouts = [1, 2].map(() => openFanout(new Hub(), [byChannel()]));
  const instances = fanouts.map((fanout) =>
    new Presence({ kv, fanout, now: () => Date.now(), times: { ...SLOW, quietMs: 0 } })
  );
  const [here, there] = instances;
  assert.ok(here !== undefined && there !== undefined);
  const guest = new TestGuest();
  here.enter(graph, { id: alice }, guest);
  here.speaksToday(guest);
  await guest.until("here: alice");
  const leave = there.enter(graph, { id: bob }, new TestGuest());
  await guest.until("here: alice, bob");
  leave();
  await guest.until("here: alice");
  await Promise.all(instances.map((one) => one.close()));
  await Promise.all(fanouts.map((one) => one.close()));
});

Deno.test("A socket of the seed's client, which says nothing of itself, is told too, and that it has gone", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  await using here = new Instance(kv, { tickMs: 5 });
  await using there = new Instance(kv, { quietMs: 0, tickMs: 3_600_000 });
  const { guest } = here.enter(graph, alice);
  const leave = there.presence.enter(graph, { id: bob }, new TestGuest());
  await guest.until("here: alice, bob");
  leave();
  leave();
  await guest.until("here: alice");
});

Deno.test("An instance that ended without a word is forgotten when its lease is over, and swept", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  let ms = 1000;
  const now = (): number => ms;
  const dead = { instance: "dead", until: 5000 };
  await writePresent(kv, graph, dead, [{ id: bob, at: 0 }]);
  {
    await using here = new Instance(kv, { tickMs: 5 }, now);
    const { guest } = here.enter(graph, alice);
    await guest.until("here: alice, bob");
    await sweepPeople(kv, now);
    const alive = await readPresent(kv, graph, "another", ms);
    assert.ok(alive.some(({ id }) => id === bob));
    ms = 5000;
    await guest.until("here: alice");
    await sweepPeople(kv, now);
  }
  assert.deepEqual(await Array.fromAsync(kv.list({ prefix: presentPrefix() })), []);
  assert.deepEqual((await keysOf(kv)).filter(([name]) => name === "instance"), []);
});

Deno.test("Without any news whoever was put out is closed when he is looked at", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  await using here = new Instance(kv, { tickMs: 5 });
  const [a, b] = [here.enter(graph, alice), here.enter(graph, bob)];
  await a.guest.until("here: alice, bob");
  const circle = await readCircle(kv, graph, [bob]);
  assert.ok(circle !== undefined);
  await removeMember(kv, circle, bob);
  await b.guest.until("close 4403");
  assert.ok(!a.guest.heard.includes("close 4403"));
});

Deno.test("Who was put out while his socket opened is closed as it comes", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  await using here = new Instance(kv, {});
  const { guest } = here.enter(graph, userOf("sam"));
  await guest.until("close 4403");
});

Deno.test("Many changes of one graph are one write, and the creator alone costs no look at who may stay", async () => {
  using memory = await Deno.openKv(":memory:");
  const graph = await newGraph(memory);
  const { kv, take } = counted(memory);
  let ms = 10_000_000;
  const here = new Instance(kv, {}, () => ms);
  const { guest } = here.enter(graph, alice);
  await here.untilTold();
  take();
  for (let i = 0; i < 100; i++) here.presence.edit(guest, `${i}`);
  const others = Array.from({ length: 50 }, () => here.enter(graph, alice));
  await others[49]?.guest.until("here: alice(99)");
  ms += 1;
  await here.presence.close();
  // The write, and the end of the lease; and a look at others for all who came at once.
  assert.deepEqual(take(), { gets: 0, getManys: 1, lists: 1, listed: 1, commits: 2 });
});

Deno.test("Of many who come at once all are told, but not each time that one comes", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  await using here = new Instance(kv, {});
  const devices = Array.from({ length: 100 }, () => here.enter(graph, alice));
  const { guest } = here.enter(graph, bob);
  for (const one of [guest, ...devices.map((device) => device.guest)]) {
    await one.until("here: alice, bob");
  }
  for (let i = 0; i < 100; i++) here.presence.edit(guest, `${i}`);
  for (const { guest } of devices) {
    await guest.until("bob edits 99");
    assert.ok(guest.heard.length < 20, guest.heard.join());
  }
});

Deno.test("An instance that was slow, so that its lease ran out and was swept, is there again", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  let ms = 1000;
  const now = (): number => ms;
  await using here = new Instance(kv, { quietMs: 0, tickMs: 20 }, now);
  here.enter(graph, bob);
  await here.untilTold();
  ms += SLOW.leaseMs;
  await sweepPeople(kv, now);
  const isThere = async (): Promise<boolean> =>
    (await readPresent(kv, graph, "another", now())).some(({ id }) => id === bob);
  await within(until(isThere), "the instance to be there again");
});

Deno.test("After that all its graphs are written again, also where one was written before it looked", async () => {
  using kv = await Deno.openKv(":memory:");
  const [one, other] = [await newGraph(kv), await newGraph(kv)];
  let ms = 1000;
  const now = (): number => ms;
  await using here = new Instance(kv, { quietMs: 0, tickMs: 50 }, now);
  const isThere = async (graph: GraphId): Promise<boolean> =>
    (await readPresent(kv, graph, "another", now())).some(({ id }) => id === bob);
  for (const graph of [one, other]) {
    here.enter(graph, bob);
    await within(until(() => isThere(graph)), "what it says of a graph");
  }
  ms += SLOW.leaseMs;
  await sweepPeople(kv, now);
  // The first thing that it does is no tick.
  here.enter(one, alice);
  for (const graph of [one, other]) {
    await within(until(() => isThere(graph)), "the same again");
  }
});

Deno.test("A sweep by a clock that is ahead takes nobody away for long", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  await using here = new Instance(kv, { quietMs: 0, tickMs: 20 });
  here.enter(graph, bob);
  await here.untilTold();
  await sweepPeople(kv, () => Date.now() + 2 * SLOW.leaseMs);
  const isThere = async (): Promise<boolean> =>
    (await readPresent(kv, graph, "another", Date.now())).length > 0;
  await within(until(isThere), "what it says of the graph, again");
});

Deno.test("What others tell just before this instance writes is heard, though a watch tells the last alone", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  await using here = new Instance(kv, { quietMs: 0 });
  const [a, b] = [here.enter(graph, alice), here.enter(graph, bob)];
  await a.guest.until("here: alice, bob");
  await here.untilTold();
  here.isDeaf = true;
  const circle = await readCircle(kv, graph, [bob]);
  assert.ok(circle !== undefined);
  await removeMember(kv, circle, bob);
  here.told = 0;
  here.presence.edit(a.guest, crypto.randomUUID());
  await here.untilTold();
  here.hearOwn();
  await b.guest.until("close 4403");
});

Deno.test("A read that the store never answers keeps nobody from being put out", async () => {
  using memory = await Deno.openKv(":memory:");
  const graph = await newGraph(memory);
  let hangs = false;
  const kv = withMethods(memory, {
    list: async function* (selector: Deno.KvListSelector): AsyncGenerator<Deno.KvEntry<unknown>> {
      if (hangs) await new Promise(() => {});
      yield* memory.list<unknown>(selector);
    },
  });
  await using here = new Instance(kv, { patienceMs: 20 });
  const [a, b] = [here.enter(graph, alice), here.enter(graph, bob)];
  await a.guest.until("here: alice, bob");
  hangs = true;
  here.enter(graph, alice);
  const circle = await readCircle(memory, graph, [bob]);
  assert.ok(circle !== undefined);
  const outcome = await removeMember(memory, circle, bob);
  assert.ok(outcome.kind === "committed");
  await within(here.presence.removed(graph, outcome.versionstamp), "the end of putting out");
  await b.guest.until("close 4403");
});

Deno.test("A write that fails is made again, and one for a graph that is gone is not", async () => {
  using memory = await Deno.openKv(":memory:");
  const graph = await newGraph(memory);
  let failing = true;
  const kv = withCommit(memory, (commit) => {
    if (failing) throw new Error("connection reset");
    return commit();
  });
  await using here = new Instance(kv, { quietMs: 1, tickMs: 5 });
  const { guest, leave } = here.enter(graph, alice);
  await guest.until("here: alice");
  assert.equal(here.told, 0);
  failing = false;
  await here.untilTold();
  const present = await readPresent(memory, graph, "another", Date.now());
  assert.deepEqual(present.map(({ id }) => id), [alice]);
  await openGraphs({ kv: memory, stores: openBlobStores(memory), now: () => 5 }).remove(graph);
  leave();
  await here.presence.close();
  assert.deepEqual((await keysOf(memory)).filter((key) => key.includes(graph)), []);
});

Deno.test("What is left to be done of a graph that was forgotten doesn't forget who has come since", async () => {
  using memory = await Deno.openKv(":memory:");
  const graph = await newGraph(memory);
  const reading = Promise.withResolvers<void>();
  const kv = withMethods(memory, {
    list: async function* (selector: Deno.KvListSelector): AsyncGenerator<Deno.KvEntry<unknown>> {
      await reading.promise;
      yield* memory.list<unknown>(selector);
    },
  });
  await using here = new Instance(kv, { quietMs: 50 });
  // While others are looked for two come and go: one write waits behind the look, and one for its time.
  here.enter(graph, bob).leave();
  await delay(5);
  here.enter(graph, bob).leave();
  reading.resolve();
  await delay(5);
  const a = here.enter(graph, bob);
  await delay(100);
  const b = here.enter(graph, alice);
  await a.guest.until("here: alice, bob");
  await b.guest.until("here: alice, bob");
  const circle = await readCircle(memory, graph, [bob]);
  assert.ok(circle !== undefined);
  const outcome = await removeMember(memory, circle, bob);
  assert.ok(outcome.kind === "committed");
  await here.presence.removed(graph, outcome.versionstamp);
  await a.guest.until("close 4403");
});

Deno.test("The times that the program uses renew a lease before it is over", () => {
  const { quietMs, leaseMs, tickMs } = PRESENCE_TIMES;
  assert.ok(quietMs + 2 * tickMs < leaseMs);
});

Deno.test("An instance whose store is away leaves all the same", async () => {
  using store = await Deno.openKv(":memory:");
  const graph = await newGraph(store);
  let away = false;
  const kv = withCommit(store, (commit) => {
    return away ? Promise.reject(new Error("connection lost")) : commit();
  });
  const instance = new Instance(kv, { quietMs: 1 });
  instance.enter(graph, alice);
  await instance.untilTold();
  away = true;
  await instance.presence.close();
});
