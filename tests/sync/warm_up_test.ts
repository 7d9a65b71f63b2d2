import assert from "node:assert/strict";
import { warmUp } from "../../sync/warm_up.ts";

Deno.test("All that is done to warm up is accepted: five batches a round", async () => {
  assert.equal(await warmUp(), 15);
});
