import assert from "node:assert/strict";
import { signToken } from "../../auth/sign.ts";
import { createGraphAnswerSchema } from "../../protocol/http.ts";
import { blockTx } from "../support/forms.ts";
import { runProgram } from "../support/program.ts";
import { TestSocket } from "../support/socket.ts";

const AUTH_SECRET = "0123456789abcdef0123456789abcdef";
const MIB = 1024 * 1024;
const HELLO = { type: "hello", client: "repo" };

Deno.test("A client that stops reading is given up with 1013, and the others are told on", async () => {
  await using program = runProgram("main.ts", [], {
    AUTH_SECRET,
    HOST: "127.0.0.1",
    PORT: "0",
    KV_PATH: ":memory:",
    LOG_FORMAT: "json",
  });
  const [, url = ""] = await program.printed(/"url":"(http:[^"]+)"/);
  const token = await signToken(AUTH_SECRET, "alice", Date.now(), 600);
  const created = await fetch(`${url}/graphs`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ graph_name: "notes" }),
  });
  const { graph_id } = createGraphAnswerSchema.parse(await created.json());
  const address = `${url.replace("http", "ws")}/sync/${graph_id}?token=${token}`;
  await using slow = await TestSocket.open(address);
  await using writer = await TestSocket.open(address);
  await using reader = await TestSocket.open(address);
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

  for (let t = 0; t < 4; t++) await write(t, "x".repeat(MIB));
  slow.pause();
  for (let i = 0; i < 10; i++) slow.send({ type: "pull", since: 0 });
  await write(4, "meanwhile");
  await program.printed(/Gave up a socket/);
  await write(5, "after");
  slow.resume();
  assert.deepEqual(await slow.closed, { code: 1013, reason: "too slow a reader" });
});
