import assert from "node:assert/strict";
import { connect } from "node:net";
import { within } from "../support/deadline.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** What the server says to a request of which the rest never comes. */
async function answerTo(server: TestServer, head: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.write([...head, `authorization: Bearer ${await server.token()}`, "", "x"].join("\r\n"));
  const read = async (): Promise<string> => {
    let text = "";
    for await (const chunk of socket) {
      text += String(chunk);
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
    [`PUT ${asset} HTTP/1.1`, "host: a", "content-length: 200000000"],
    ["POST /graphs HTTP/1.1", "host: a", "content-length: 900000000"],
    [`POST /sync/${crypto.randomUUID()}/tx/batch HTTP/1.1`, "host: a", "content-length: 1000"],
  ];
  for (const head of refused) {
    const answer = await answerTo(server, head);
    assert.match(answer, /^HTTP\/1\.1 4\d\d /, head.join());
    assert.match(answer, /\r\nconnection: close\r\n/i, head.join());
  }
});

Deno.test("A connection stays after an answer that is good, and after a refusal of what has no body", async () => {
  await using server = await startServer();
  for (
    const [path, status, json] of [["/nowhere", 404], ["/graphs", 200, {
      graph_name: "n",
    }]] as const
  ) {
    const method = json === undefined ? "GET" : "POST";
    const body = json === undefined ? {} : { body: JSON.stringify(json) };
    const response = await server.fetch(path, { method, ...body });
    await response.body?.cancel();
    assert.deepEqual([response.status, response.headers.get("connection")], [status, null], path);
  }
});
