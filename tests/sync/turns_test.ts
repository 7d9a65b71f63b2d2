import assert from "node:assert/strict";
import { newGraphId } from "../../protocol/ids.ts";
import { Turns } from "../../sync/turns.ts";

Deno.test("Work for one graph is done one at a time, in the order in which it came", async () => {
  const turns = new Turns();
  const graph = newGraphId();
  const told: string[] = [];
  const gates = [0, 1, 2].map(() => Promise.withResolvers<void>());
  const works = gates.map((gate, i) =>
    turns.take(graph, async () => {
      told.push(`begin ${i}`);
      await gate.promise;
      told.push(`end ${i}`);
      return i;
    })
  );
  for (const gate of gates.toReversed()) gate.resolve();
  assert.deepEqual(await Promise.all(works), [0, 1, 2]);
  assert.deepEqual(told, ["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"]);
});

Deno.test("Work for one graph does not wait for another's", async () => {
  const turns = new Turns();
  const gate = Promise.withResolvers<string>();
  const slow = turns.take(newGraphId(), () => gate.promise);
  assert.equal(await turns.take(newGraphId(), () => Promise.resolve("quick")), "quick");
  gate.resolve("slow");
  assert.equal(await slow, "slow");
});

Deno.test("Work that fails fails for whoever asked for it, and the next has its turn", async () => {
  const turns = new Turns();
  const graph = newGraphId();
  const failing = turns.take(graph, () => Promise.reject(new Error("mine")));
  const next = turns.take(graph, () => Promise.resolve("next"));
  await assert.rejects(failing, /mine/);
  assert.equal(await next, "next");
  assert.equal(await turns.take(graph, () => Promise.resolve("later")), "later");
});
