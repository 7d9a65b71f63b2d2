import assert from "node:assert/strict";
import { within } from "../support/deadline.ts";
import { sendHead } from "../support/raw_request.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** What the server says to a request of which the rest never comes. */
async function answerTo(server: TestServer, start: string, length: number): Promise<string> {
  const connection = await sendHead(server, start, [`content-length: ${length}`]);
  await connection.write(new TextEncoder().encode("x"));
  const read = async (): Promise<string> => {
    let text = "";
    for await (const chunk of connection.readable.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.endsWith("}")) break;
    }
    return text;
  };
  return await within(read(), "an answer");
}

Deno.test("What is refused before its body has come is the last request of its connection", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const asset = `/assets/${graph}/${crypto.randomUUID()}.bin`;
  const refused = [
    [`PUT ${asset}`, 200_000_000],
    ["POST /graphs", 900_000_000],
    [`POST /sync/${crypto.randomUUID()}/tx/batch`, 1000],
  ] as const;
  for (const [start, length] of refused) {
    const answer = await answerTo(server, start, length);
    assert.match(answer, /^HTTP\/1\.1 4\d\d /, start);
    assert.match(answer, /\r\nconnection: close\r\n/i, start);
  }
});

Deno.test("A connection stays after an answer that is good, and after a refusal of what has no body", async () => {
  await using server = await startServer();
  const asked = [
    [404, await server.fetch("/nowhere")],
    [200, await server.fetch("/graphs", { method: "POST", json: { graph_name: "n" } })],
  ] as const;
  for (const [status, response] of asked) {
    await response.body?.cancel();
    assert.deepEqual([response.status, response.headers.get("connection")], [status, null]);
  }
});
