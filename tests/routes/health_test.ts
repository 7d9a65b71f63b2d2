import assert from "node:assert/strict";
import { newGraphId } from "../../protocol/ids.ts";
import { startServer } from "../support/server.ts";

Deno.test("GET /health is open to all", async () => {
  await using server = await startServer();
  assert.deepEqual(await server.call("/health", { as: null }), { status: 200, body: { ok: true } });
});

Deno.test("GET /ready asks the store, and is open to all", async () => {
  await using server = await startServer();
  assert.deepEqual(await server.call("/ready", { as: null }), { status: 200, body: { ok: true } });
});

Deno.test("An unknown path is 404 not found", async () => {
  await using server = await startServer();
  const notFound = { status: 404, body: { error: "not found" } };
  for (const path of ["/healthy", "/health/x", "/api", "/%", "/%zz", "//"]) {
    assert.deepEqual(await server.call(path, { as: null }), notFound, path);
  }
  assert.deepEqual(await server.call("/health", { as: null, method: "POST" }), notFound);
  assert.deepEqual(await server.call("/graphs/x/y/z"), notFound);
  assert.deepEqual(await server.call(`/assets/${newGraphId()}/x.png`), notFound);
});
