import assert from "node:assert/strict";
import { newGraphId, nextT, T_ZERO } from "../../protocol/ids.ts";
import { byChannel } from "../../sync/channel.ts";
import { openFanout } from "../../sync/fanout.ts";
import { Hub } from "../../sync/hub.ts";
import { Recorder } from "../support/recorder.ts";

const ONE = nextT(T_ZERO);

Deno.test("News reaches the hubs of other isolates, and comes back to nobody", async () => {
  const ways = [byChannel(crypto.randomUUID())];
  const [here, there] = [new Hub(), new Hub()];
  const [fanoutHere, fanoutThere] = [openFanout(here, ways), openFanout(there, ways)];
  const graph = newGraphId();
  const [sender, far] = [new Recorder(), new Recorder()];
  here.add(graph, sender);
  there.add(graph, far);
  fanoutHere.moved(graph, ONE, sender);
  assert.equal(await far.next(), "changed 1");
  fanoutHere.ended(graph, "reset");
  assert.equal(await far.next(), "close 1012 graph reset");
  // The far end's own news comes after anything that might have come back.
  fanoutThere.moved(graph, nextT(ONE));
  assert.equal(await sender.next(), "close 1012 graph reset");
  assert.equal(await sender.next(), "changed 2");
  await Promise.all([fanoutHere.close(), fanoutThere.close()]);
});

Deno.test("What is no news of ours on the channel is ignored", async () => {
  const name = crypto.randomUUID();
  const hub = new Hub();
  const fanout = openFanout(hub, [byChannel(name)]);
  const graph = newGraphId();
  const a = new Recorder();
  hub.add(graph, a);
  const stranger = new BroadcastChannel(name);
  const kind = "moved";
  for (
    const message of [null, "x", {}, { kind, graph }, { kind, graph: "x", t: 1 }, { graph, t: 1 }]
  ) {
    stranger.postMessage(message);
  }
  stranger.postMessage({ kind: "moved", graph, t: -1 });
  stranger.postMessage({ kind: "at", graph, t: 1 });
  stranger.postMessage({ kind: "moved", graph, t: 1 });
  assert.equal(await a.next(), "changed 1");
  assert.deepEqual(a.heard, []);
  stranger.close();
  await fanout.close();
});

Deno.test("News after the channel was closed still reaches the sockets here", async () => {
  const hub = new Hub();
  const fanout = openFanout(hub, [byChannel(crypto.randomUUID())]);
  const graph = newGraphId();
  const a = new Recorder();
  hub.add(graph, a);
  await fanout.close();
  fanout.moved(graph, ONE);
  assert.deepEqual(a.heard, ["changed 1"]);
});

Deno.test("News is told here even if the channel to other isolates is out of order", async () => {
  const hub = new Hub();
  const graph = newGraphId();
  const a = new Recorder();
  hub.add(graph, a);
  // Deno 2.9.6 leaves a channel without its end if it is opened right after the last one was closed.
  await openFanout(new Hub(), [byChannel(crypto.randomUUID())]).close();
  const fanout = openFanout(hub, [byChannel(crypto.randomUUID())]);
  await new Promise((resolve) => setTimeout(resolve));
  fanout.moved(graph, ONE);
  assert.deepEqual(a.heard, ["changed 1"]);
  await fanout.close();
});
