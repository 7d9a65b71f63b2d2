import assert from "node:assert/strict";
import { clientMessageSchema, parseClientMessage } from "../../protocol/client_message.ts";

function parsed(message: unknown): unknown {
  return parseClientMessage(JSON.stringify(message));
}

function refused(text: string): unknown {
  const result = parseClientMessage(text);
  assert.ok(!result.ok, `taken: ${text}`);
  return result.answer;
}

Deno.test("Each message of the protocol is taken as it is", () => {
  const messages = [
    { type: "hello", client: "repo-1" },
    { type: "hello", client: "" },
    { type: "ping" },
    { type: "pull", since: 7 },
    { type: "pull", since: 0 },
    { type: "tx/batch", t_before: 3, txs: ["[]", "[]"] },
    { type: "tx/batch", t_before: 0, txs: [] },
  ];
  for (const message of messages) {
    assert.deepEqual(parsed(message), { ok: true, message });
    assert.deepEqual(clientMessageSchema.parse(message), message);
  }
});

Deno.test("A tx/batch whose own fields are today's is one of entries", () => {
  const id = "6f1e2d3c-0000-4000-8000-00000000000A";
  const whole = { "tx": "[]", "tx-id": id, "outliner-op": "save-block" };
  assert.deepEqual(
    parsed({
      "type": "tx/batch",
      "t-before": 3,
      "txs": [whole, { tx: "[]" }, { "tx": "[]", "outliner-op": null }],
      "client-revision": "x",
    }),
    {
      ok: true,
      message: {
        type: "tx/batch of entries",
        batch: {
          tBefore: 3,
          entries: [
            { tx: "[]", txId: id.toLowerCase(), outlinerOp: "save-block" },
            { tx: "[]" },
            { tx: "[]" },
          ],
        },
      },
    },
  );
});

Deno.test("A tx/batch that can't be read is refused in the dialect that its fields are of", () => {
  const reasonOf = (fields: object): unknown => {
    const answer = refused(JSON.stringify({ type: "tx/batch", ...fields }));
    return typeof answer === "object" && answer !== null && "reason" in answer && answer.reason;
  };
  const entries = [{ tx: "[]" }];
  for (
    const [fields, reason] of [
      [{ "t-before": 0 }, "invalid tx"],
      [{ "t-before": 0, "txs": [{ tx: 1 }] }, "invalid tx"],
      [{ "t-before": 0, "txs": [{ "tx": "[]", "tx-id": "x" }] }, "invalid tx"],
      [{ "t-before": 0, "txs": [{ "tx": "[]", "outliner-op": 1 }] }, "invalid tx"],
      [{ "t-before": 0, "txs": [{ "tx": "[]", "outliner-op": "x".repeat(257) }] }, "invalid tx"],
      [{ "t-before": -1, "txs": entries }, "invalid t-before"],
      [{ "t-before": 1.5, "txs": entries }, "invalid t-before"],
      [{ "t-before": null, "txs": entries }, "invalid t-before"],
      [{ "txs": entries }, "invalid t-before"],
      [{ "t_before": 0, "txs": entries }, "invalid tx"],
      [{ "t_before": -1, "txs": ["[]"] }, "invalid t_before"],
      [{ "txs": ["[]"] }, "invalid t_before"],
      [{ "txs": [] }, "invalid t_before"],
      [{}, "invalid tx"],
    ] as const
  ) assert.equal(reasonOf(fields), reason, JSON.stringify(fields));
});

Deno.test("A pull without since asks for everything", () => {
  assert.deepEqual(parsed({ type: "pull" }), { ok: true, message: { type: "pull", since: 0 } });
});

Deno.test("Fields that the protocol doesn't know are ignored", () => {
  assert.deepEqual(parsed({ type: "ping", more: [1] }), {
    ok: true,
    message: { type: "ping" },
  });
});

Deno.test("What is no JSON object with a type is an invalid request", () => {
  for (
    const text of [
      "",
      "{",
      "ping",
      "null",
      "1",
      '"ping"',
      "[]",
      "{}",
      '{"type":1}',
      '{"type":null}',
    ]
  ) {
    assert.deepEqual(refused(text), { type: "error", message: "invalid request" });
  }
});

Deno.test("A hello without a client, or with another kind of one, is an invalid request", () => {
  for (
    const text of [
      '{"type":"hello"}',
      '{"type":"hello","client":null}',
      '{"type":"hello","client":1}',
    ]
  ) {
    assert.deepEqual(refused(text), { type: "error", message: "invalid request" });
  }
});

Deno.test("A type that the protocol doesn't know is an unknown type", () => {
  for (const type of ["", "Ping", "tx", "pull/ok", "changed", "constructor", "__proto__"]) {
    assert.deepEqual(refused(JSON.stringify({ type })), { type: "error", message: "unknown type" });
  }
});

Deno.test("A since that is no non-negative safe integer is an invalid since", () => {
  for (
    const since of ["-1", "0.5", "null", '"1"', "true", "[]", "{}", "9007199254740992", "1e400"]
  ) {
    assert.deepEqual(refused(`{"type":"pull","since":${since}}`), {
      type: "error",
      message: "invalid since",
    });
  }
});

Deno.test("txs that are no array of strings are rejected as invalid tx, before t_before is looked at", () => {
  for (const txs of ["null", "1", '"[]"', "{}", "[1]", '["[]",null]', '[["a"]]']) {
    for (const tBefore of ["0", "-1"]) {
      assert.deepEqual(refused(`{"type":"tx/batch","t_before":${tBefore},"txs":${txs}}`), {
        type: "tx/reject",
        reason: "invalid tx",
      });
    }
  }
  assert.deepEqual(refused('{"type":"tx/batch","t_before":0}'), {
    type: "tx/reject",
    reason: "invalid tx",
  });
});

Deno.test("A t_before that is missing or no non-negative integer is rejected as such", () => {
  for (const tBefore of ["-1", "0.5", "null", '"0"', "true", "9007199254740992"]) {
    assert.deepEqual(refused(`{"type":"tx/batch","t_before":${tBefore},"txs":[]}`), {
      type: "tx/reject",
      reason: "invalid t_before",
    });
  }
  assert.deepEqual(refused('{"type":"tx/batch","txs":["[]"]}'), {
    type: "tx/reject",
    reason: "invalid t_before",
  });
});

Deno.test("Presence names the block that is edited; null, blank or nothing says that none is", () => {
  const block = "7a0cbcd5-7bb2-4f7c-9d3f-0f0f6a1f5a4e";
  const edited = (fields: Record<string, unknown>): unknown => {
    const result = parseClientMessage(JSON.stringify({ type: "presence", ...fields }));
    assert.ok(result.ok && result.message.type === "presence");
    return result.message["editing-block-uuid"];
  };
  assert.equal(edited({ "editing-block-uuid": block }), block);
  for (const none of [{}, { "editing-block-uuid": null }, { "editing-block-uuid": " " }]) {
    assert.equal(edited(none), undefined);
  }
  for (const editing of [1, {}, "x".repeat(65)]) {
    const text = JSON.stringify({ "type": "presence", "editing-block-uuid": editing });
    assert.deepEqual(refused(text), { type: "error", message: "invalid request" });
  }
});
