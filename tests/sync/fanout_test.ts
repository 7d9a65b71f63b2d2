import assert from "node:assert/strict";
import { newGraphId, nextT, type T, T_ZERO } from "../../protocol/ids.ts";
import { openFanout } from "../../sync/fanout.ts";
import { Hub, type Listener } from "../../sync/hub.ts";
import { within } from "../support/deadline.ts";

/** Writes down what it is told, and lets a test wait for the next thing. */
class Recorder implements Listener {
  readonly heard: string[] = [];
  #wake: (() => void) | undefined;

  changed(t: T): void {
    this.#hear(`changed ${t}`);
  }
  close(code: number, reason: string): void {
    this.#hear(`close ${code} ${reason}`);
  }
  async next(): Promise<string | undefined> {
    if (this.heard.length === 0) {
      await within(new Promise<void>((resolve) => this.#wake = resolve), "news");
    }
    return this.heard.shift();
  }
  #hear(news: string): void {
    this.heard.push(news);
    this.#wake?.();
  }
}

const ONE = nextT(T_ZERO);

Deno.test("News of a graph goes to all who listen to it but the sender, at once", () => {
  const hub = new Hub();
  const fanout = openFanout(hub, crypto.randomUUID());
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
  fanout.close();
});

Deno.test("News without a sender goes to all", () => {
  const hub = new Hub();
  const fanout = openFanout(hub, crypto.randomUUID());
  const graph = newGraphId();
  const a = new Recorder();
  hub.add(graph, a);
  fanout.moved(graph, ONE);
  assert.deepEqual(a.heard, ["changed 1"]);
  fanout.close();
});

Deno.test("The end of a graph closes its sockets with the reason", () => {
  const hub = new Hub();
  const fanout = openFanout(hub, crypto.randomUUID());
  const graph = newGraphId();
  const a = new Recorder();
  hub.add(graph, a);
  fanout.ended(graph, "deleted");
  fanout.ended(graph, "reset");
  assert.deepEqual(a.heard, ["close 4404 graph deleted", "close 1012 graph reset"]);
  fanout.close();
});

Deno.test("News reaches the hubs of other isolates, and comes back to nobody", async () => {
  const channel = crypto.randomUUID();
  const [here, there] = [new Hub(), new Hub()];
  const [fanoutHere, fanoutThere] = [openFanout(here, channel), openFanout(there, channel)];
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
  fanoutHere.close();
  fanoutThere.close();
});

Deno.test("What is no news of ours on the channel is ignored", async () => {
  const name = crypto.randomUUID();
  const hub = new Hub();
  const fanout = openFanout(hub, name);
  const graph = newGraphId();
  const a = new Recorder();
  hub.add(graph, a);
  const stranger = new BroadcastChannel(name);
  for (const message of [null, "x", {}, { graph }, { graph: "x", t: 1 }, { graph, t: -1 }]) {
    stranger.postMessage(message);
  }
  stranger.postMessage({ graph, t: 1 });
  assert.equal(await a.next(), "changed 1");
  assert.deepEqual(a.heard, []);
  stranger.close();
  fanout.close();
});

Deno.test("News after the channel was closed still reaches the sockets here", () => {
  const hub = new Hub();
  const fanout = openFanout(hub, crypto.randomUUID());
  const graph = newGraphId();
  const a = new Recorder();
  hub.add(graph, a);
  fanout.close();
  fanout.moved(graph, ONE);
  assert.deepEqual(a.heard, ["changed 1"]);
});

Deno.test("News is told here even if the channel to other isolates is out of order", async () => {
  const hub = new Hub();
  const graph = newGraphId();
  const a = new Recorder();
  hub.add(graph, a);
  // Deno 2.9.6 leaves a channel without its end if it is opened right after the last one was closed.
  openFanout(new Hub(), crypto.randomUUID()).close();
  const fanout = openFanout(hub, crypto.randomUUID());
  await new Promise((resolve) => setTimeout(resolve));
  fanout.moved(graph, ONE);
  assert.deepEqual(a.heard, ["changed 1"]);
  fanout.close();
});
