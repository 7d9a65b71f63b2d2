import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { openBlobStores } from "../../assets/open.ts";
import { commitHead, readHead } from "../../kv/head.ts";
import { WATCH_GRAPHS } from "../../kv/watch.ts";
import { readCircle, removeMember } from "../../kv/members.ts";
import { type GraphId, nextT, parseUserId, type T, T_ZERO } from "../../protocol/ids.ts";
import { openFanout } from "../../sync/fanout.ts";
import { openGraphs } from "../../sync/graphs.ts";
import { Hub } from "../../sync/hub.ts";
import { byWatch, WATCH_TIMES, type WatchTimes } from "../../sync/watch.ts";
import { within } from "../support/deadline.ts";
import { withWatch } from "../support/kv.ts";
import { Recorder } from "../support/recorder.ts";
import { created } from "../support/created.ts";

const owner = parseUserId("alice");
assert.ok(owner !== undefined);
const OWNER = owner;
const bob = parseUserId("bob");
assert.ok(bob !== undefined);
const BOB = bob;

/** A store with graphs, which another process writes, and a hub here that watches it. */
class Watched implements AsyncDisposable {
  readonly hub = new Hub();
  readonly fanout;
  readonly #kv: Deno.Kv;

  constructor(kv: Deno.Kv, seen: Deno.Kv = kv, times: Partial<WatchTimes> = {}) {
    this.#kv = kv;
    this.fanout = openFanout(this.hub, [byWatch(seen, { ...WATCH_TIMES, ...times })]);
  }

  static async open(): Promise<Watched> {
    return new Watched(await Deno.openKv(":memory:"));
  }

  graphs(): ReturnType<typeof openGraphs> {
    return openGraphs({ kv: this.#kv, stores: openBlobStores(this.#kv), now: () => Date.now() });
  }

  createGraph(): Promise<GraphId> {
    return created(this.graphs(), OWNER, { graph_name: "notes" });
  }

  listen(graph: GraphId): Recorder {
    const listener = new Recorder();
    this.hub.add(graph, listener);
    return listener;
  }

  /** Another process takes a batch. */
  async move(graph: GraphId): Promise<T> {
    const head = await readHead(this.#kv, graph);
    assert.ok(head !== undefined);
    const t = nextT(head.t);
    const outcome = await commitHead(this.#kv, head, { ...head, t }, { sets: [], deletes: [] });
    assert.equal(outcome.kind, "committed");
    return t;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fanout.close();
    this.#kv.close();
  }
}

Deno.test("A watch begins with the version as it is, and goes on with each that follows", async () => {
  await using watched = await Watched.open();
  const graph = await watched.createGraph();
  const a = watched.listen(graph);
  assert.equal(await a.next(), "at 0");
  await watched.move(graph);
  assert.equal(await a.next(), "changed 1");
  await watched.move(graph);
  assert.equal(await a.next(), "changed 2");
});

Deno.test("A write that moves no version is no news", async () => {
  const kv = await Deno.openKv(":memory:");
  await using watched = new Watched(kv);
  const graph = await watched.createGraph();
  const a = watched.listen(graph);
  assert.equal(await a.next(), "at 0");
  const head = await readHead(kv, graph);
  assert.ok(head !== undefined);
  await commitHead(kv, head, { ...head, rowsVersion: 1 }, { sets: [], deletes: [] });
  await watched.move(graph);
  assert.equal(await a.next(), "changed 1");
});

Deno.test("More graphs than one watch takes are all watched, whenever their sockets come", async () => {
  const kv = await Deno.openKv(":memory:");
  let watches = 0;
  const seen = breaking(kv, (real, before) => {
    watches = before + 1;
    return real;
  });
  await using watched = new Watched(kv, seen);
  const graphs = await Promise.all(Array.from({ length: 25 }, () => watched.createGraph()));
  const listeners = graphs.map((graph) => watched.listen(graph));
  for (const listener of listeners) assert.equal(await listener.next(), "at 0");
  // As few as there can be, since their sockets came together.
  assert.equal(watches, Math.ceil(25 / WATCH_GRAPHS));
  const late = await watched.createGraph();
  const last = watched.listen(late);
  assert.equal(await last.next(), "at 0");
  for (const graph of [...graphs, late]) await watched.move(graph);
  for (const listener of [...listeners, last]) {
    let news = await listener.next();
    // A watch that was begun again for a graph beside this one says once more where it is.
    while (news === "at 0") news = await listener.next();
    assert.equal(news, "changed 1");
  }
});

Deno.test("A graph that nobody listens to any more is forgotten, and watched again when one comes", async () => {
  await using watched = await Watched.open();
  const [graph, other] = [await watched.createGraph(), await watched.createGraph()];
  const [a, b] = [watched.listen(graph), watched.listen(other)];
  assert.deepEqual([await a.next(), await b.next()], ["at 0", "at 0"]);
  watched.hub.delete(graph, a);
  await watched.move(graph);
  await watched.move(other);
  assert.equal(await b.next(), "changed 1");
  assert.deepEqual(a.heard, []);
  const again = watched.listen(graph);
  assert.equal(await again.next(), "at 1");
});

/** A store that tells what becomes of its watches: `begun`, `ended`. */
function toldWatches(kv: Deno.Kv, told: string[], ended = (): void => {}): Deno.Kv {
  return breaking(kv, (real) => {
    told.push("begun");
    const reader = real.getReader();
    return new ReadableStream({
      async pull(controller): Promise<void> {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        controller.enqueue(value);
      },
      cancel: async (): Promise<void> => {
        told.push("ended");
        ended();
        await reader.cancel();
      },
    });
  });
}

Deno.test("A watch ends with the last socket of its last graph, and one that comes then has its own", async () => {
  const kv = await Deno.openKv(":memory:");
  const told: string[] = [];
  const ended = Promise.withResolvers<void>();
  await using watched = new Watched(kv, toldWatches(kv, told, ended.resolve));
  const [graph, other] = [await watched.createGraph(), await watched.createGraph()];
  const [a, b] = [watched.listen(graph), watched.listen(other)];
  assert.deepEqual([await a.next(), await b.next()], ["at 0", "at 0"]);
  watched.hub.delete(graph, a);
  assert.deepEqual(told, ["begun"]);
  watched.hub.delete(other, b);
  await within(ended.promise, "the end of the watch");
  assert.deepEqual(told, ["begun", "ended"]);
  const next = watched.listen(graph);
  assert.equal(await next.next(), "at 0");
  assert.deepEqual(told, ["begun", "ended", "begun"]);
});

Deno.test("What is seen of a graph that nobody listens to any more keeps no watch", async () => {
  const kv = await Deno.openKv(":memory:");
  const ended = Promise.withResolvers<void>();
  await using watched = new Watched(kv, toldWatches(kv, [], ended.resolve));
  const [graph, other] = [await watched.createGraph(), await watched.createGraph()];
  const [a, b] = [watched.listen(graph), watched.listen(other)];
  assert.deepEqual([await a.next(), await b.next()], ["at 0", "at 0"]);
  watched.hub.delete(graph, a);
  await watched.move(graph);
  await watched.move(other);
  assert.equal(await b.next(), "changed 1");
  watched.hub.delete(other, b);
  await within(ended.promise, "the end of the watch");
});

Deno.test("Once it is closed nothing is watched, whoever comes", async () => {
  const kv = await Deno.openKv(":memory:");
  const told: string[] = [];
  await using watched = new Watched(kv, toldWatches(kv, told));
  const graph = await watched.createGraph();
  assert.equal(await watched.listen(graph).next(), "at 0");
  await watched.fanout.close();
  assert.deepEqual(told, ["begun", "ended"]);
  watched.listen(await watched.createGraph());
  await Promise.resolve();
  await readHead(kv, graph);
  assert.deepEqual(told, ["begun", "ended"]);
});

Deno.test("A watch of a graph that another process resets or deletes closes its sockets", async () => {
  await using watched = await Watched.open();
  const graph = await watched.createGraph();
  const a = watched.listen(graph);
  assert.equal(await a.next(), "at 0");
  await watched.graphs().reset(graph);
  assert.equal(await a.next(), "close 1012 graph reset");
  await watched.graphs().remove(graph);
  assert.equal(await a.next(), "close 4404 graph deleted");
});

Deno.test("What this isolate has told of is no news when the watch sees it", async () => {
  await using watched = await Watched.open();
  const [graph, other] = [await watched.createGraph(), await watched.createGraph()];
  const [a, b] = [watched.listen(graph), watched.listen(other)];
  assert.deepEqual([await a.next(), await b.next()], ["at 0", "at 0"]);
  watched.fanout.moved(graph, nextT(T_ZERO));
  await watched.move(graph);
  // The watch of both has seen the one when it tells of the other.
  await watched.move(other);
  assert.equal(await b.next(), "changed 1");
  assert.deepEqual(a.heard, ["changed 1"]);
  await watched.move(graph);
  assert.deepEqual([await a.next(), await a.next()], ["changed 1", "changed 2"]);
});

Deno.test("After a reset here the sockets that come back are not closed once more", async () => {
  await using watched = await Watched.open();
  const graph = await watched.createGraph();
  const a = watched.listen(graph);
  assert.equal(await a.next(), "at 0");
  watched.fanout.ended(graph, "reset");
  assert.equal(await a.next(), "close 1012 graph reset");
  await watched.graphs().reset(graph);
  await watched.move(graph);
  assert.ok(["at 0", "at 1"].includes(await a.next() ?? ""));
});

Deno.test("A batch that is told of before the watch has begun is no news of a reset", async () => {
  await using watched = await Watched.open();
  const graph = await watched.createGraph();
  const a = watched.listen(graph);
  watched.fanout.moved(graph, nextT(T_ZERO));
  await watched.move(graph);
  assert.equal(await a.next(), "changed 1");
  assert.ok(["at 0", "at 1"].includes(await a.next() ?? ""));
});

/** Watches that break: each is replaced by what the test says. */
function breaking(
  kv: Deno.Kv,
  how: (
    real: ReadableStream<Deno.KvEntryMaybe<unknown>[]>,
    before: number,
  ) => ReadableStream<Deno.KvEntryMaybe<unknown>[]>,
): Deno.Kv {
  return withWatch(kv, (watch, before) => how(watch(), before));
}

/** The first event, and then the end: an error, or none. */
function afterFirst(
  real: ReadableStream<Deno.KvEntryMaybe<unknown>[]>,
  cause: Error | undefined,
): ReadableStream<Deno.KvEntryMaybe<unknown>[]> {
  const reader = real.getReader();
  let first = true;
  return new ReadableStream({
    async pull(controller): Promise<void> {
      if (!first) {
        await reader.cancel();
        if (cause === undefined) controller.close();
        else controller.error(cause);
        return;
      }
      first = false;
      const { value } = await reader.read();
      if (value !== undefined) controller.enqueue(value);
    },
    cancel: () => reader.cancel(),
  });
}

for (
  const [what, cause] of [["ends", undefined], ["breaks", new Error("connection reset")]] as const
) {
  Deno.test(`A watch that ${what} starts again, and what moved meanwhile is told`, async () => {
    const kv = await Deno.openKv(":memory:");
    const ended = Promise.withResolvers<void>();
    const moved = Promise.withResolvers<void>();
    const seen = breaking(kv, (real, before) => {
      if (before === 0) return afterFirst(real, cause);
      ended.resolve();
      // The second watch begins only when a version has moved that none has seen.
      const reader = real.getReader();
      return new ReadableStream({
        async pull(controller): Promise<void> {
          await moved.promise;
          const { value } = await reader.read();
          if (value !== undefined) controller.enqueue(value);
        },
        cancel: () => reader.cancel(),
      }, { highWaterMark: 0 });
    });
    await using watched = new Watched(kv, seen, { pauseMs: 1, longestPauseMs: 2 });
    const graph = await watched.createGraph();
    const a = watched.listen(graph);
    assert.equal(await a.next(), "at 0");
    await within(ended.promise, "a second watch");
    await watched.move(graph);
    moved.resolve();
    assert.equal(await a.next(), "changed 1");
  });
}

Deno.test("A watch that can't be begun is tried until it can", async () => {
  const kv = await Deno.openKv(":memory:");
  const seen = breaking(kv, (real, before) => {
    if (before >= 4) return real;
    void real.cancel();
    return new ReadableStream({ start: (controller) => controller.error(new Error("refused")) });
  });
  await using watched = new Watched(kv, seen, { pauseMs: 1, longestPauseMs: 2 });
  const graph = await watched.createGraph();
  assert.equal(await watched.listen(graph).next(), "at 0");
});

Deno.test("The longer a watch can't be begun, the longer it waits before it is tried again", async () => {
  const kv = await Deno.openKv(":memory:");
  let tried = 0;
  const seen = breaking(kv, (real, before) => {
    tried = before + 1;
    void real.cancel();
    return new ReadableStream({ start: (controller) => controller.error(new Error("refused")) });
  });
  await using watched = new Watched(kv, seen, { pauseMs: 20, longestPauseMs: 3_600_000 });
  watched.listen(await watched.createGraph());
  await delay(300);
  // After 0, 40, 120 and 280 ms.
  assert.ok(tried >= 1 && tried <= 4, `${tried} times`);
});

Deno.test("A watch that had begun starts again after the shortest pause, however often it breaks", async () => {
  const kv = await Deno.openKv(":memory:");
  const often = 24;
  const last = Promise.withResolvers<void>();
  const seen = breaking(kv, (real, before) => {
    if (before < often) return afterFirst(real, new Error("connection reset"));
    last.resolve();
    return real;
  });
  await using watched = new Watched(kv, seen, { pauseMs: 1, longestPauseMs: 3_600_000 });
  watched.listen(await watched.createGraph());
  await within(last.promise, `watch ${often + 1}`);
});

Deno.test("A graph whose socket comes while a broken watch waits is watched at once", async () => {
  const kv = await Deno.openKv(":memory:");
  const refused = Promise.withResolvers<void>();
  const seen = breaking(kv, (real, before) => {
    if (before > 0) return real;
    void real.cancel();
    refused.resolve();
    return new ReadableStream({ start: (controller) => controller.error(new Error("refused")) });
  });
  const hour = { pauseMs: 3_600_000, longestPauseMs: 3_600_000 };
  await using watched = new Watched(kv, seen, hour);
  const [graph, other] = [await watched.createGraph(), await watched.createGraph()];
  const a = watched.listen(graph);
  await refused.promise;
  await delay(10);
  const b = watched.listen(other);
  assert.deepEqual([await a.next(), await b.next()], ["at 0", "at 0"]);
});

Deno.test("A watch that says nothing from its beginning is begun again", async () => {
  const kv = await Deno.openKv(":memory:");
  const seen = breaking(kv, (real, before) => {
    if (before > 0) return real;
    void real.cancel();
    return new ReadableStream({ pull: () => new Promise(() => {}) });
  });
  await using watched = new Watched(kv, seen, { silenceMs: 20, pauseMs: 1 });
  assert.equal(await watched.listen(await watched.createGraph()).next(), "at 0");
});

Deno.test("A watch that has gone silent is begun again", async () => {
  const kv = await Deno.openKv(":memory:");
  let begun = 0;
  const seen = breaking(kv, (real, before) => {
    begun = before + 1;
    if (before > 0) return real;
    // The first event, and then nothing for ever: a connection that died without a word.
    const reader = real.getReader();
    let first = true;
    return new ReadableStream({
      async pull(controller): Promise<void> {
        if (!first) return await new Promise(() => {});
        first = false;
        const { value } = await reader.read();
        if (value !== undefined) controller.enqueue(value);
      },
      cancel: () => reader.cancel(),
    });
  });
  await using watched = new Watched(kv, seen, { silenceMs: 100, pauseMs: 1 });
  const graph = await watched.createGraph();
  const a = watched.listen(graph);
  assert.equal(await a.next(), "at 0");
  await watched.move(graph);
  assert.equal(await a.next(), "changed 1");
  assert.ok(begun >= 2);
});

Deno.test("A head that can't be read ends no watch of the others", async () => {
  const kv = await Deno.openKv(":memory:");
  await using watched = new Watched(kv);
  const [broken, graph] = [await watched.createGraph(), await watched.createGraph()];
  await kv.set(["head", broken], "no head");
  const [a, b] = [watched.listen(broken), watched.listen(graph)];
  assert.equal(await b.next(), "at 0");
  await watched.move(graph);
  assert.equal(await b.next(), "changed 1");
  assert.deepEqual(a.heard, []);
});

Deno.test("A watch tells of a member who was put out, once, and of nothing where nobody was", async () => {
  const kv = await Deno.openKv(":memory:");
  await using watched = new Watched(kv);
  const graph = await watched.createGraph();
  const news: string[] = [];
  const heard = Promise.withResolvers<void>();
  watched.fanout.onPeople(({ graph }) => {
    news.push(graph);
    heard.resolve();
  });
  const listener = watched.listen(graph);
  assert.equal(await listener.next(), "at 0");
  assert.deepEqual(news, []);
  const circle = await readCircle(kv, graph, [BOB]);
  assert.ok(circle !== undefined);
  await removeMember(kv, circle, BOB);
  await within(heard.promise, "news of people");
  await watched.move(graph);
  assert.equal(await listener.next(), "changed 1");
  assert.deepEqual(news, [graph]);
});
