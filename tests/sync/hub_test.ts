import assert from "node:assert/strict";
import { newGraphId } from "../../protocol/ids.ts";
import { Hub, type Listener } from "../../sync/hub.ts";

interface Recorder extends Listener {
  readonly closed: string[];
}

function recorder(onClose?: () => void): Recorder {
  const closed: string[] = [];
  return {
    closed,
    changed: () => {},
    close: (code, reason) => {
      closed.push(`${code} ${reason}`);
      onClose?.();
    },
  };
}

Deno.test("A hub knows the listeners of each graph", () => {
  const hub = new Hub();
  const [graph, other] = [newGraphId(), newGraphId()];
  const [a, b, c] = [recorder(), recorder(), recorder()];
  hub.add(graph, a);
  hub.add(graph, b);
  hub.add(graph, b);
  hub.add(other, c);
  assert.deepEqual(hub.each(graph), [a, b]);
  assert.deepEqual(hub.each(other), [c]);
  assert.deepEqual(hub.each(newGraphId()), []);
});

Deno.test("A listener may leave twice, and a graph without any is forgotten", () => {
  const hub = new Hub();
  const graph = newGraphId();
  const a = recorder();
  hub.add(graph, a);
  hub.delete(graph, a);
  hub.delete(graph, a);
  assert.deepEqual(hub.graphs(), []);
});

Deno.test("Closing the sockets of a graph leaves those of others alone", () => {
  const hub = new Hub();
  const [graph, other] = [newGraphId(), newGraphId()];
  const [a, b] = [recorder(), recorder()];
  hub.add(graph, a);
  hub.add(other, b);
  hub.closeAll(graph, 4404, "graph deleted");
  assert.deepEqual(a.closed, ["4404 graph deleted"]);
  assert.deepEqual(b.closed, []);
});

Deno.test("Closing everything ends when the last listener has left", async () => {
  const hub = new Hub();
  const graph = newGraphId();
  const [a, b] = [recorder(() => hub.delete(graph, a)), recorder()];
  hub.add(graph, a);
  hub.add(graph, b);
  let ended = false;
  const closing = hub.closeEverything(1001, "bye").then(() => ended = true);
  await Promise.resolve();
  assert.equal(ended, false);
  assert.deepEqual(b.closed, ["1001 bye"]);
  hub.delete(graph, b);
  await closing;
  assert.equal(ended, true);
});

Deno.test("Closing everything of an empty hub ends at once", async () => {
  await new Hub().closeEverything(1001, "bye");
});
