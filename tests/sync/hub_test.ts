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
    compare: () => {},
    remind: () => {},
    close: ({ code, reason }) => {
      closed.push(`${code} ${reason}`);
      onClose?.();
    },
    leave: ({ code, reason }) => {
      closed.push(`leave ${code} ${reason}`);
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
  hub.closeAll(graph, { code: 4404, reason: "graph deleted" });
  assert.deepEqual(a.closed, ["4404 graph deleted"]);
  assert.deepEqual(b.closed, []);
});

Deno.test("Leaving ends when the last listener has left", async () => {
  const hub = new Hub();
  const graph = newGraphId();
  const [a, b] = [recorder(() => hub.delete(graph, a)), recorder()];
  hub.add(graph, a);
  hub.add(graph, b);
  let ended = false;
  const leaving = hub.leave({ code: 1001, reason: "bye" }).then(() => ended = true);
  await Promise.resolve();
  assert.equal(ended, false);
  assert.deepEqual([a.closed, b.closed], [["leave 1001 bye"], ["leave 1001 bye"]]);
  hub.closeEverything({ code: 1001, reason: "now" });
  assert.deepEqual(b.closed, ["leave 1001 bye", "1001 now"]);
  hub.delete(graph, b);
  await leaving;
  assert.equal(ended, true);
});

Deno.test("Leaving an empty hub ends at once, and who comes after is sent away", async () => {
  const hub = new Hub();
  await hub.leave({ code: 1001, reason: "bye" });
  const late = recorder();
  hub.add(newGraphId(), late);
  assert.deepEqual(late.closed, ["leave 1001 bye"]);
});

Deno.test("An observer is told of a graph's first listener and of its last", () => {
  const hub = new Hub();
  const [graph, other] = [newGraphId(), newGraphId()];
  const [a, b] = [recorder(), recorder()];
  const told: [string, boolean][] = [];
  hub.add(other, a);
  hub.observe((of, listened) => told.push([of, listened]));
  hub.add(graph, a);
  hub.add(graph, b);
  hub.delete(graph, a);
  hub.delete(graph, b);
  hub.delete(graph, b);
  assert.deepEqual(told, [[other, true], [graph, true], [graph, false]]);
});
