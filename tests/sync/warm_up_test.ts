import assert from "node:assert/strict";
import { warmUp } from "../../sync/warm_up.ts";
import { loggedBy, textOf } from "../support/log.ts";

Deno.test("All that is done to warm up is accepted: attributes in ten batches, and five in each of three rounds", async () => {
  using kv = await Deno.openKv(":memory:");
  assert.equal(await warmUp(kv), 25);
});

Deno.test("The log of the server has nothing of the graph that warms it up", async () => {
  using kv = await Deno.openKv(":memory:");
  assert.deepEqual((await loggedBy(() => warmUp(kv))).map(textOf), []);
});
