import assert from "node:assert/strict";
import { newGeneration, newGraphId, nextT, T_ZERO } from "../../protocol/ids.ts";
import { openFanout } from "../../sync/fanout.ts";
import { Hub } from "../../sync/hub.ts";
import type { News } from "../../sync/news.ts";
import { Recorder } from "../support/recorder.ts";

const ONE = nextT(T_ZERO);

Deno.test("News of a graph goes to all who listen to it but the sender, at once", () => {
  const hub = new Hub();
  const fanout = openFanout(hub, []);
  const [graph, other] = [newGraphId(), newGraphId()];
  const [sender, a, b, stranger] = Array.from({ length: 4 }, () => new Recorder());
  assert.ok(sender && a && b && stranger);
  for (const listener of [sender, a, b]) hub.add(graph, listener);
  hub.add(other, stranger);
  fanout.moved(graph, ONE, sender);
  assert.deepEqual([sender, a, b, stranger].map((one) => one.heard), [
    [],
    ["changed 1"],
    ["changed 1"],
    [],
  ]);
  fanout.moved(graph, nextT(ONE));
  assert.deepEqual(sender.heard, ["changed 2"]);
});

Deno.test("The end of a graph closes its sockets with the reason", () => {
  const hub = new Hub();
  const fanout = openFanout(hub, []);
  const graph = newGraphId();
  const a = new Recorder();
  hub.add(graph, a);
  fanout.ended(graph, "deleted");
  fanout.ended(graph, "reset");
  assert.deepEqual(a.heard, ["close 4404 graph deleted", "close 1012 graph reset"]);
});

Deno.test("Every carrier gets this isolate's news, and delivers that of others to it alone", async () => {
  const hub = new Hub();
  const graph = newGraphId();
  const a = new Recorder();
  hub.add(graph, a);
  const carried: News[][] = [[], []];
  const closed: boolean[] = [false, false];
  const delivered: ((news: News) => void)[] = [];
  const fanout = openFanout(
    hub,
    [0, 1].map((i) => (ofHub, deliver) => {
      assert.equal(ofHub, hub);
      delivered.push(deliver);
      return {
        carry: (news) => void carried[i]?.push(news),
        close: () => {
          closed[i] = true;
          return Promise.resolve();
        },
      };
    }),
  );
  const news: News = { kind: "moved", graph, t: ONE };
  fanout.moved(graph, ONE);
  assert.deepEqual(carried, [[news], [news]]);
  for (const deliver of delivered) deliver({ kind: "at", graph, t: ONE, log: newGeneration() });
  assert.deepEqual(a.heard, ["changed 1", "at 1", "at 1"]);
  assert.deepEqual(carried, [[news], [news]]);
  await fanout.close();
  assert.deepEqual(closed, [true, true]);
});
