import assert from "node:assert/strict";
import { newGeneration, newGraphId } from "../../protocol/ids.ts";
import { Pins } from "../../sync/pins.ts";
import { ALICE, BOB, version } from "../support/process.ts";

Deno.test("A pin is the caller's own, for one graph, the last one that was remembered", () => {
  const pins = new Pins(() => 0);
  const [graph, log] = [newGraphId(), newGeneration()];
  pins.remember(ALICE, graph, { log, t: version(1) });
  pins.remember(ALICE, graph, { log, t: version(2) });
  assert.deepEqual(pins.of(ALICE, graph), { log, t: 2 });
  assert.equal(pins.of(BOB, graph), undefined);
  assert.equal(pins.of(ALICE, newGraphId()), undefined);
});

Deno.test("A pin holds for 60 seconds since it was remembered last", () => {
  let ms = 5000;
  const pins = new Pins(() => ms);
  const [graph, log] = [newGraphId(), newGeneration()];
  pins.remember(ALICE, graph, { log, t: version(1) });
  ms += 60_000;
  assert.deepEqual(pins.of(ALICE, graph), { log, t: 1 });
  pins.remember(ALICE, graph, { log, t: version(2) });
  ms += 60_000;
  assert.deepEqual(pins.of(ALICE, graph), { log, t: 2 });
  ms += 1;
  assert.equal(pins.of(ALICE, graph), undefined);
});

Deno.test("Of very many pins the oldest go", () => {
  const pins = new Pins(() => 0);
  const log = newGeneration();
  const graphs = Array.from({ length: 10_001 }, () => newGraphId());
  for (const graph of graphs) pins.remember(ALICE, graph, { log, t: version(1) });
  const held = graphs.filter((graph) => pins.of(ALICE, graph) !== undefined);
  assert.deepEqual(held, graphs.slice(1));
});
