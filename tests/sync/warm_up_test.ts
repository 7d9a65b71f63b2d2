import assert from "node:assert/strict";
import { warmUp } from "../../sync/warm_up.ts";
import { loggedBy, textOf } from "../support/log.ts";

Deno.test("All that is done to warm up is accepted: five batches a round", async () => {
  using kv = await Deno.openKv(":memory:");
  assert.equal(await warmUp(kv), 15);
});

Deno.test("The log of the server has nothing of the graph that warms it up", async () => {
  using kv = await Deno.openKv(":memory:");
  assert.deepEqual((await loggedBy(() => warmUp(kv))).map(textOf), []);
});
