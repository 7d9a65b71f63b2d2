import assert from "node:assert/strict";
import { dump } from "../support/kv.ts";
import { sendHead } from "../support/raw_request.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** Says that it sends 1000 bytes, sends these, and ends; answers the status line and the body. */
async function cutOff(
  server: TestServer,
  method: string,
  path: string,
  bytes: string,
): Promise<readonly [status: string | undefined, body: string | undefined]> {
  const connection = await sendHead(server, `${method} ${path}`, ["content-length: 1000"], "alice");
  await new Blob([bytes]).stream().pipeTo(connection.writable, { preventClose: true });
  await connection.closeWrite();
  const answer = await new Response(connection.readable).text();
  return [answer.split("\r\n")[0], answer.split("\r\n\r\n")[1]];
}

Deno.test("A body that its client breaks off is 400, and nothing of it is stored", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const calls = [
    ["POST", "/graphs", '{"graph_name":"n', "invalid body"],
    ["POST", `/sync/${graph}/tx/batch`, '{"t_before":0,"txs":[', "invalid tx"],
    [
      "POST",
      `/sync/${graph}/snapshot/import`,
      '{"reset":true,"rows":[[0,"root",null],',
      "invalid body",
    ],
    ["POST", `/sync/${graph}/snapshot/upload`, "\0\0\0\x20[[0", "invalid body"],
    ["POST", `/sync/${graph}/snapshot/upload`, "\x1f", "invalid body"],
    ["PUT", `/assets/${graph}/${crypto.randomUUID()}.png`, "half a picture", "invalid body"],
  ] as const;
  const before = await dump(server.kv);
  for (const [method, path, bytes, error] of calls) {
    const [status, body] = await cutOff(server, method, path, bytes);
    assert.equal(status, "HTTP/1.1 400 Bad Request", `${method} ${path}`);
    assert.equal(body, JSON.stringify({ error }));
  }
  assert.deepEqual(await dump(server.kv), before);
});
