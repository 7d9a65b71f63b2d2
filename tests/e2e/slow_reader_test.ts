import assert from "node:assert/strict";
import { blockTx } from "../support/forms.ts";
import { Served } from "../support/served.ts";

const MIB = 1024 * 1024;
const HELLO = { type: "hello", client: "repo" };

Deno.test("A client that stops reading is given up with 1013, and the others are told on", async () => {
  await using served = await Served.start({ KV_PATH: ":memory:" });
  const graph = await served.createGraph();
  await using slow = await served.connect(graph);
  await using writer = await served.connect(graph);
  await using reader = await served.connect(graph);
  for (const socket of [slow, writer, reader]) await socket.ask(HELLO);

  async function write(t_before: number, title: string): Promise<void> {
    const txs = [blockTx(crypto.randomUUID(), title)];
    const t = t_before + 1;
    assert.deepEqual(await writer.ask({ type: "tx/batch", t_before, txs }), {
      type: "tx/batch/ok",
      t,
    });
    assert.deepEqual(await reader.next(), { type: "changed", t });
  }

  for (let t = 0; t < 4; t++) await write(t, "x".repeat(3 * MIB));
  slow.pause();
  for (let i = 0; i < 3; i++) slow.send({ type: "pull", since: 0 });
  await write(4, "meanwhile");
  await served.program.printed(/Gave up a socket/);
  await write(5, "after");
  slow.resume();
  assert.deepEqual(await slow.closed, { code: 1013, reason: "too slow a reader" });
});
