import assert from "node:assert/strict";
import { loggedBy } from "../support/log.ts";
import { startServer } from "../support/server.ts";

const MANY = "%ff-".repeat(15_000);

Deno.test("A path with escapes that are none, or no UTF-8, is decoded nowhere, and nothing is there", async () => {
  await using server = await startServer();
  const paths = [
    "/%",
    "/%zz",
    "/%c3",
    `/${MANY}`,
    `/${MANY}%`,
    `/sync/${MANY}/pull`,
    `/status/${MANY}/delete`,
  ];
  const records = await loggedBy(async () => {
    for (const path of paths) {
      const { status, body } = await server.call(path);
      assert.deepEqual([status, body], [404, { error: "not found" }], path.slice(0, 60));
    }
  });
  const logged = records.map(({ properties }) => properties["path"]);
  assert.deepEqual(logged, paths.map(() => "/%"));
});

Deno.test("A query with such escapes is 400, whoever asks", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  for (const query of [`since=${MANY}`, "since=%", "since=0&a=%zz", "?%ff"]) {
    for (const as of [null, "alice"]) {
      const { status, body } = await server.call(`/sync/${graph}/pull?${query}`, { as });
      assert.deepEqual([status, body], [400, { error: "invalid query" }], query.slice(0, 60));
    }
  }
});

Deno.test("Good escapes stand for what they stand for", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  assert.equal((await server.call(`/%67raphs/${graph}/access`)).status, 200);
  assert.equal((await server.call(`/sync/${graph}/pull?since=%30&a=%25%C3%A4`)).status, 200);
  assert.equal((await server.call("/%C3%A4%25")).status, 404);
});
