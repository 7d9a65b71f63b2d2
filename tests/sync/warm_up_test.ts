import assert from "node:assert/strict";
import { configure, type LogRecord, reset } from "@logtape/logtape";
import { warmUp } from "../../sync/warm_up.ts";

Deno.test("All that is done to warm up is accepted: five batches a round", async () => {
  assert.equal(await warmUp(), 15);
});

Deno.test("The log of the server has nothing of the graph that warms it up", async () => {
  const logged: LogRecord[] = [];
  await configure({
    sinks: { kept: (record) => void logged.push(record) },
    loggers: [{ category: "sync", lowestLevel: "trace", sinks: ["kept"] }, {
      category: ["logtape", "meta"],
      sinks: [],
    }],
  });
  try {
    await warmUp();
    assert.deepEqual(logged.map(({ message }) => message.join("")), []);
  } finally {
    await reset();
  }
});
