import assert from "node:assert/strict";
import { newGraphId } from "../../protocol/ids.ts";
import { type RequestOptions, startServer } from "../support/server.ts";

function corsOf(response: Response): Record<string, string> {
  return Object.fromEntries(
    [...response.headers].filter(([name]) => name.startsWith("access-control-")),
  );
}

const EXPECTED = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "content-type,authorization,x-amz-meta-checksum,x-amz-meta-type",
  "access-control-allow-methods": "GET,POST,PUT,DELETE,OPTIONS,HEAD",
};

Deno.test("OPTIONS anywhere is answered with 204 and the CORS headers, without a token", async () => {
  await using server = await startServer();
  for (
    const path of [
      "/",
      "/health",
      "/graphs",
      `/sync/${newGraphId()}/pull`,
      "/assets/x",
      "/no/where",
    ]
  ) {
    const response = await server.fetch(path, { method: "OPTIONS", as: null });
    assert.equal(response.status, 204, path);
    assert.deepEqual(corsOf(response), EXPECTED, path);
    assert.equal(await response.text(), "");
  }
});

Deno.test("Every answer carries the CORS headers: good ones, refusals, streams, unknown paths", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const cases: [number, string, RequestOptions][] = [
    [200, "/health", { as: null }],
    [200, "/graphs", {}],
    [200, `/sync/${graph}/pull`, {}],
    [200, `/sync/${graph}/snapshot/rows`, {}],
    [400, `/sync/${graph}/pull?since=x`, {}],
    [400, "/sync/", {}],
    [401, "/graphs", { as: null }],
    [403, `/graphs/${graph}/access`, { as: "bob" }],
    [404, `/sync/${newGraphId()}/pull`, {}],
    [404, "/no/where", {}],
    [404, "/health", { method: "DELETE" }],
  ];
  for (const [status, path, options] of cases) {
    const response = await server.fetch(path, options);
    assert.equal(response.status, status, path);
    assert.deepEqual(corsOf(response), EXPECTED, path);
    assert.equal(response.headers.get("content-type"), "application/json", path);
    await response.body?.cancel();
  }
});

Deno.test("HEAD is answered as GET without a body", async () => {
  await using server = await startServer();
  const response = await server.fetch("/health", { method: "HEAD", as: null });
  assert.equal(response.status, 200);
  assert.deepEqual(corsOf(response), EXPECTED);
  assert.equal(await response.text(), "");
});
