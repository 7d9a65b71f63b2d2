/** What the program itself tells: its log's fields, and its spans. */
import assert from "node:assert/strict";
import { z } from "zod";
import { signToken } from "../../auth/sign.ts";
import { createGraphAnswerSchema } from "../../protocol/http.ts";
import { blockTx } from "../support/forms.ts";
import { type Program, runProgram } from "../support/program.ts";
import { AUTH_SECRET } from "../support/secret.ts";
import { TestSocket } from "../support/socket.ts";

function serve(variables: Readonly<Record<string, string>>): Program {
  return runProgram("main.ts", [], {
    AUTH_SECRET,
    HOST: "127.0.0.1",
    PORT: "0",
    KV_PATH: ":memory:",
    LOG_FORMAT: "json",
    ...variables,
  });
}

/** A graph with one batch over a socket; answers with its id. */
async function oneBatch(program: Program): Promise<string> {
  const [, url = ""] = await program.printed(/"url":"(http:[^"]+)"/);
  const token = await signToken(AUTH_SECRET, "alice", Date.now(), 60);
  const created = await fetch(`${url}/graphs?token=${token}`, {
    method: "POST",
    body: '{"graph_name":"notes"}',
  });
  const graph = createGraphAnswerSchema.parse(await created.json()).graph_id;
  await using socket = await TestSocket.open(
    `${url.replace("http", "ws")}/sync/${graph}?token=${token}`,
  );
  await socket.ask({ type: "tx/batch", t_before: 0, txs: [blockTx(graph, "a")] });
  return graph;
}

const lineSchema = z.object({
  logger: z.string(),
  properties: z.record(z.string(), z.unknown()),
});

Deno.test("Lines of requests and batches have user, graph, t and duration as fields", async () => {
  await using program = serve({ LOG_LEVEL: "debug" });
  const graph = await oneBatch(program);
  await program.printed(/"logger":"sync\.batch"/);
  const { stdout } = await program.end("SIGTERM");
  const lines = stdout.trim().split("\n").map((line) => lineSchema.parse(JSON.parse(line)));
  const fieldsOf = (logger: string): readonly Record<string, unknown>[] =>
    lines.filter((line) => line.logger === logger).map((line) => line.properties);

  const [batch] = fieldsOf("sync.batch");
  const { ms, ...fields } = batch ?? {};
  assert.deepEqual(fields, { user: "alice", graph, t: 1, txs: 1, outcome: "ok" });
  assert.equal(typeof ms, "number");

  const [created, upgraded] = fieldsOf("sync.http");
  assert.equal(created?.["user"], "alice");
  assert.equal(created?.["status"], 200);
  assert.equal(typeof created?.["ms"], "number");
  assert.equal(upgraded?.["graph"], graph);
  assert.equal(upgraded?.["user"], "alice");
  assert.equal(upgraded?.["status"], 101);
});

Deno.test("With OTEL_DENO batches and routes are spans, which as in the README hold no token", async () => {
  await using program = serve({
    OTEL_DENO: "true",
    OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: "1",
    OTEL_EXPORTER_OTLP_PROTOCOL: "console",
  });
  const graph = await oneBatch(program);
  const { stdout, stderr } = await program.end("SIGTERM");
  const told = stdout + stderr;
  assert.match(told, /POST \/graphs/);
  assert.match(told, /GET \/sync\/:id/);
  assert.match(told, /tx\/batch/);
  assert.ok(told.includes(graph));
  assert.ok(!told.includes("eyJ"), "a token is in a span");
});
