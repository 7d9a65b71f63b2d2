import assert from "node:assert/strict";
import { readForm } from "../../routes/form_body.ts";
import { loggedBy } from "../support/log.ts";
import { sendHead } from "../support/raw_request.ts";
import { startServer } from "../support/server.ts";

const TYPE = "application/x-www-form-urlencoded";

/** A request whose body is given out as it is asked for, by so much, and how much was asked for each time. */
function given(bytes: string, byBytes = Infinity): readonly [Request, number[]] {
  const asked: number[] = [];
  let left = new TextEncoder().encode(bytes);
  const body = new ReadableStream({
    type: "bytes",
    pull(controller): void {
      const view = controller.byobRequest?.view;
      asked.push(view?.byteLength ?? Infinity);
      if (view === null || view === undefined) return controller.close();
      const piece = left.subarray(0, Math.min(view.byteLength, byBytes));
      left = left.subarray(piece.length);
      new Uint8Array(view.buffer, view.byteOffset).set(piece);
      if (piece.length === 0) controller.close();
      controller.byobRequest?.respond(piece.length);
    },
  });
  const headers = { "content-type": TYPE };
  return [new Request("http://a/sign-in", { method: "POST", body, headers }), asked];
}

Deno.test("A form is read by a KiB, as so much is in memory for each that its client stops", async () => {
  const token = "x".repeat(3000);
  const [request, asked] = given(`token=${token}`);
  const form = await readForm(request, 4000);
  assert.ok(form instanceof FormData);
  assert.equal(form.get("token"), token);
  assert.ok(asked.every((bytes) => bytes <= 1024), `${asked}`);
});

Deno.test("A form of more bytes than there may be is not read on, whatever length it says", async () => {
  const [request, asked] = given(`token=${"x".repeat(100_000)}`);
  assert.equal(await readForm(request, 4000), "too large");
  assert.equal(asked.length, 4);
});

Deno.test("A form in pieces of a byte or two is not read on, as others would wait for each", async () => {
  const [request, asked] = given(`token=${"x".repeat(3000)}`, 1);
  assert.equal(await readForm(request, 4000), "too large");
  assert.equal(asked.length, 257);
  const [short] = given("token=a", 1);
  assert.ok(await readForm(short, 4000) instanceof FormData);
});

Deno.test("A form that its client breaks off is a bad token, and no fault of the server", async () => {
  await using server = await startServer();
  const records = await loggedBy(async () => {
    for (const length of ["content-length: 100", "transfer-encoding: chunked"]) {
      const headers = [
        `origin: http://${new URL(server.url).hostname}`,
        `content-type: ${TYPE}`,
        length,
      ];
      const connection = await sendHead(server, "POST /sign-in", headers);
      await new Blob(["5\r\nto"]).stream().pipeTo(connection.writable, { preventClose: true });
      await connection.closeWrite();
      assert.match(await new Response(connection.readable).text(), /^HTTP\/1\.1 401 /, length);
    }
  });
  assert.ok(records.every(({ level }) => level === "debug"));
});
