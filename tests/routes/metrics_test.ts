import assert from "node:assert/strict";
import { newGraphId } from "../../protocol/ids.ts";
import { readRows } from "../support/fixtures.ts";
import { blockTx } from "../support/forms.ts";
import { ALICE, startServer, type TestServer } from "../support/server.ts";
import { createUnready, frameOf, rowsIn, sendFrame, uploadFrames } from "../support/snapshots.ts";

const TOKEN = "only-prometheus-knows-it";

/** The value of each series, by its name and labels as they are written. */
async function scrape(server: TestServer): Promise<ReadonlyMap<string, number>> {
  const response = await server.fetch("/metrics", { as: null });
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split("\n").filter((line) => /^[a-z]/.test(line));
  return new Map(lines.map((line) => {
    const end = line.lastIndexOf(" ");
    return [line.slice(0, end), Number(line.slice(end))];
  }));
}

Deno.test("GET /metrics is not there unless METRICS asks for it", async () => {
  await using server = await startServer();
  const notFound = { status: 404, body: { error: "not found" } };
  assert.deepEqual(await server.call("/metrics", { as: null }), notFound);
});

Deno.test("With a token in METRICS, GET /metrics is for who sends it", async () => {
  await using server = await startServer({ variables: { METRICS: TOKEN } });
  const headers = { authorization: `Bearer ${TOKEN}` };
  const scraped = await server.fetch("/metrics", { as: null, headers });
  assert.equal(scraped.status, 200);
  assert.match(await scraped.text(), /^sync_sockets 0$/m);
  const unauthorized = { status: 401, body: { error: "unauthorized" } };
  assert.deepEqual(await server.call("/metrics", { as: null }), unauthorized);
  assert.deepEqual(await server.call("/metrics", { as: ALICE }), unauthorized);
  for (const near of [`${TOKEN}x`, TOKEN.slice(0, -1), `${TOKEN.slice(0, -1)}x`]) {
    const headers = { authorization: `Bearer ${near}` };
    assert.deepEqual(await server.call("/metrics", { as: null, headers }), unauthorized);
  }
});

Deno.test("Batches, pulls, rows, sockets, notices, commits and requests are counted", async () => {
  await using server = await startServer({ variables: { METRICS: "on" } });
  const graph = await server.createGraph();
  await using socket = await server.connect(graph);
  await socket.ask({ type: "hello", client: "a" });
  const txs = [blockTx(crypto.randomUUID(), "a")];
  const before = await scrape(server);
  await server.call(`/sync/${graph}/tx/batch`, { json: { t_before: 0, txs } });
  await server.call(`/sync/${graph}/tx/batch`, { json: { t_before: 0, txs } });
  await server.call(`/sync/${newGraphId()}/pull`);
  await server.call(`/sync/${graph}/pull`);
  await server.call(`/sync/${graph}/pull?since=0`);
  const rows = [[7, "x", null], [8, "y", null]];
  await server.call(`/sync/${graph}/snapshot/import`, { json: { rows } });
  const after = await scrape(server);

  const change = (series: string): number => (after.get(series) ?? 0) - (before.get(series) ?? 0);
  assert.equal(change('sync_batch_duration_seconds_count{outcome="ok"}'), 1);
  assert.equal(change('sync_batch_duration_seconds_count{outcome="stale"}'), 1);
  assert.equal(change("sync_pulls_total"), 2);
  assert.equal(change('sync_rows_total{direction="imported"}'), 2);
  assert.equal(change('sync_notices_total{kind="moved"}'), 1);
  assert.ok(change('sync_kv_commits_total{outcome="committed"}') >= 2);
  const route = 'method="POST",route="/sync/:id/tx/batch",status="200"';
  assert.equal(change(`sync_http_request_duration_seconds_count{${route}}`), 2);
  assert.equal(after.get("sync_sockets"), 1);
  assert.equal(after.get("sync_open_graphs"), 1);
  assert.ok((after.get("process_resident_memory_bytes") ?? 0) > 0);
});

Deno.test("Rows of today's uploads and streams are counted, but for calls that are refused", async () => {
  await using server = await startServer({ variables: { METRICS: "on" } });
  const graph = await createUnready(server);
  const rows = readRows("small-a");
  await sendFrame(server, graph, "?reset=false", frameOf(rows));
  await uploadFrames(server, graph, rows);
  await rowsIn(await server.fetch(`/sync/${graph}/snapshot/stream`));
  const counts = await scrape(server);
  assert.equal(counts.get('sync_rows_total{direction="imported"}'), rows.length);
  assert.equal(counts.get('sync_rows_total{direction="served"}'), rows.length);
});

Deno.test("No label has a user, a graph, or anything else that a client made up", async () => {
  await using server = await startServer({ variables: { METRICS: "on" } });
  const graph = await server.createGraph();
  await server.call(`/sync/${graph}/pull`);
  for (const path of ["/made-up", "/graphs/made-up/access", "/sync/made-up/made-up", "/sync/"]) {
    await server.call(path);
  }
  await (await server.fetch("/health", { method: "MADEUP" })).body?.cancel();
  const series = [...(await scrape(server)).keys()].join("\n");
  for (const word of [graph, ALICE, "made-up", "MADEUP"]) assert.ok(!series.includes(word), word);
  assert.ok(series.includes('method="other"'));
});
