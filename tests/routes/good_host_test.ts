import assert from "node:assert/strict";
import { loggedBy } from "../support/log.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** The answer to a request with this Host header, which no client of Deno's would send. */
async function askAs(server: TestServer, start: string, host: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const head = [`${start} HTTP/1.1`, `host: ${host}`, "connection: close", "content-length: 0"];
  await connection.write(new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n`));
  return await new Response(connection.readable).text();
}

Deno.test("A host that is none is 400 wherever it is asked, and no fault of ours", async () => {
  await using server = await startServer();
  const records = await loggedBy(async () => {
    for (const start of ["GET /graphs?token=x", "POST /sign-out", "GET /health"]) {
      for (
        const host of ["a b", "[", "%ff", "a/health?", "a/health#", "a?", "b@a", "a\\b", "a:b"]
      ) {
        const answer = await askAs(server, start, host);
        assert.match(answer, /^HTTP\/1\.1 400 /, start);
        assert.match(answer, /\{"error":"invalid host"\}$/);
      }
    }
  });
  assert.ok(records.every(({ level }) => level === "debug"));
});

Deno.test("A name, an address, each with a port or none, and no host at all are as good as ever", async () => {
  await using server = await startServer();
  for (const host of ["a", "sync_1.example-a.org:80", "127.0.0.1:1", "[::1]", "[::1]:8787", ""]) {
    assert.match(await askAs(server, "GET /health", host), /^HTTP\/1\.1 200 /, host);
  }
});
