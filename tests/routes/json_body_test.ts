import assert from "node:assert/strict";
import { Hono } from "hono";
import { UNSHARED } from "../support/share.ts";
import { jsonBody, type WithBody } from "../../routes/json_body.ts";

const app = new Hono<WithBody>();
app.use(async (c, next) => {
  c.set("hold", UNSHARED.hold);
  await next();
});
app.post("/", jsonBody(10), (c) => c.json(c.get("body")));

/** A body without a length, in these chunks; counts how many were read. */
function streamed(chunks: readonly string[]): { readonly body: ReadableStream; taken: number } {
  const counted = {
    taken: 0,
    body: new ReadableStream({
      pull(controller): void {
        const chunk = chunks[counted.taken++];
        if (chunk === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(chunk));
      },
    }, { highWaterMark: 0 }),
  };
  return counted;
}

async function post(body?: BodyInit): Promise<unknown> {
  const response = await app.request("/", { method: "POST", ...body !== undefined && { body } });
  return response.status === 200 ? await response.json() : [response.status, await response.json()];
}

Deno.test("A body is missing, malformed, or a JSON value", async () => {
  assert.deepEqual(await post(), { kind: "missing" });
  assert.deepEqual(await post(""), { kind: "missing" });
  assert.deepEqual(await post("{"), { kind: "malformed" });
  assert.deepEqual(await post(" "), { kind: "malformed" });
  assert.deepEqual(await post(new Uint8Array([0x22, 0xff, 0x22])), { kind: "malformed" });
  assert.deepEqual(await post(new Uint8Array([0x22, 0xc3])), { kind: "malformed" });
  assert.deepEqual(await post("null"), { kind: "json", value: null });
  assert.deepEqual(await post('{"a":1}'), { kind: "json", value: { a: 1 } });
});

Deno.test("A character may be cut between two chunks", async () => {
  const bytes = new TextEncoder().encode('"aü"');
  const body = new ReadableStream({
    start(controller): void {
      for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
      controller.close();
    },
  });
  assert.deepEqual(await post(body), { kind: "json", value: "aü" });
});

Deno.test("A body of the limit is taken, a byte more is 413, with and without a length", async () => {
  const tooLarge = [413, { error: "body too large" }];
  assert.deepEqual(await post('"12345678"'), { kind: "json", value: "12345678" });
  assert.deepEqual(await post('"123456789"'), tooLarge);
  assert.deepEqual(await post(streamed(['"1234', '5678"']).body), {
    kind: "json",
    value: "12345678",
  });
  assert.deepEqual(await post(streamed(['"1234', '56789"']).body), tooLarge);
});

Deno.test("What is too large is not read to its end", async () => {
  const stream = streamed(Array.from({ length: 100 }, () => "12345"));
  await post(stream.body);
  assert.ok(stream.taken <= 4, `${stream.taken} chunks were read`);
});
