import assert from "node:assert/strict";
import { T_ZERO } from "../../protocol/ids.ts";
import { reject } from "../../protocol/reject.ts";
import { parseServerMessage } from "../../protocol/server_message.ts";

Deno.test("Each message from the server is read as it is", () => {
  const messages = [
    { type: "hello", t: 0 },
    { type: "pull/ok", t: 2, txs: [{ t: 1, tx: "[]" }, { t: 2, tx: "[]" }] },
    { type: "tx/batch/ok", t: 3 },
    { type: "changed", t: 4 },
    { type: "pong" },
    { type: "error", message: "unknown type" },
    { type: "error", message: "invalid request" },
    { type: "error", message: "server error" },
    { type: "error", message: "invalid since" },
  ];
  for (const message of messages) {
    assert.deepEqual(parseServerMessage(JSON.stringify(message)), message);
  }
});

Deno.test("Every reject that can be made is a message of the protocol", () => {
  const rejects = [
    reject.stale(T_ZERO),
    reject.cycle("[]"),
    reject.emptyTxData(),
    reject.invalidTx(),
    reject.invalidTBefore(),
  ];
  assert.deepEqual(rejects.map((one) => parseServerMessage(JSON.stringify(one))), rejects);
  assert.deepEqual(rejects, [
    { type: "tx/reject", reason: "stale", t: 0 },
    { type: "tx/reject", reason: "cycle", data: "[]" },
    { type: "tx/reject", reason: "empty tx data" },
    { type: "tx/reject", reason: "invalid tx" },
    { type: "tx/reject", reason: "invalid t_before" },
  ]);
});

Deno.test("What the seed client would throw on is no message: unknown words, more fields, null, half a t", () => {
  const wrong = [
    { type: "pong", t: 1 },
    { type: "hello" },
    { type: "hello", t: "1" },
    { type: "hello", t: 1.5 },
    { type: "changed", t: null },
    { type: "error", message: "boom" },
    { type: "tx/reject", reason: "stale" },
    { type: "tx/reject", reason: "invalid tx", t: 1 },
    { type: "tx/reject", reason: "too big" },
    { type: "pull/ok", t: 1, txs: [{ t: 1 }] },
    { type: "welcome" },
  ];
  for (const message of wrong) {
    assert.throws(() => parseServerMessage(JSON.stringify(message)), JSON.stringify(message));
  }
});
