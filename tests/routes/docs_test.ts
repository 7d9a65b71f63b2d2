import assert from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { z } from "zod";
import { createApp } from "../../app.ts";
import { parseConfig } from "../../config.ts";
import { openLimits } from "../../limits/request_limits.ts";
import { parseClientMessage } from "../../protocol/client_message.ts";
import { openApiDocument } from "../../protocol/openapi.ts";
import { newGraphId } from "../../protocol/ids.ts";
import type { Services } from "../../routes/services.ts";
import { Hub } from "../../sync/hub.ts";
import { sha256Of } from "../support/bytes.ts";
import { readRows } from "../support/fixtures.ts";
import { blockTx } from "../support/forms.ts";
import { NOTHING_ASKED } from "../support/operations.ts";
import { AUTH_SECRET } from "../support/secret.ts";
import { ALICE, type RequestOptions, startServer, type TestServer } from "../support/server.ts";
import { createUnready, frameOf } from "../support/snapshots.ts";
import { entry, lookup, newBlock } from "../support/today.ts";

/** Pages for people and what they load; and paths that are there to be refused. */
const NOT_API =
  /^(GET|POST) \/(|docs|sign-in|sign-out|static\/.*|status\/:id\/.*)$|^DELETE \/graphs\/$/;

const ASSET_ID = "6f1e2d3c-0000-4000-8000-000000000001";

const documentSchema = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        requestBody: z.json().optional(),
        responses: z.record(
          z.string(),
          z.object({
            content: z.record(z.string(), z.object({ schema: z.json().optional() })).optional(),
          }),
        ),
      }),
    ),
  ),
  components: z.object({ schemas: z.record(z.string(), z.json()) }),
});

const described = documentSchema.parse(openApiDocument());

function describedOperations(): string[] {
  return Object.entries(described.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)
  );
}

/** A check of what is at this place in the description. */
function checkAt(path: readonly string[]): ValidateFunction {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: "doc", ...described });
  const pointer = path.map((part) =>
    encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))
  );
  return ajv.compile({ $ref: `doc#/${pointer.join("/")}` });
}

/** Where an operation is asked for, of this graph. */
function addressOf(path: string, graph: string): string {
  return path.replace("{graph_id}", graph)
    .replace("{user_id}", "bob").replace("{asset}", `${ASSET_ID}.png`);
}

/** Services that no route is asked for. */
function idleServices(): Services {
  const never = (): Promise<never> => Promise.reject(new Error("Nobody asks"));
  return {
    verify: never,
    limits: openLimits(parseConfig({ AUTH_SECRET })),
    graphs: {
      access: never,
      ready: never,
      create: never,
      list: never,
      remove: never,
      reset: never,
    },
    operations: NOTHING_ASKED,
    snapshots: {
      page: never,
      importRows: never,
      pullForDownload: never,
      upload: never,
      versionToStream: never,
      stream: never,
    },
    diagnostics: never,
    trustProxy: false,
    assets: { isEncrypted: never, put: never, open: never, remove: never },
    pages: { overview: never, name: never, backup: never },
    hub: new Hub(),
    members: { list: never, add: never, setRole: never, remove: never },
    keys: {
      pairOf: never,
      setPair: never,
      publicKeyOf: never,
      graphKeyOf: never,
      setGraphKey: never,
      grant: never,
    },
    users: { seen: never },
    presence: { enter: () => () => {} },
    ready: never,
  };
}

Deno.test("The description is valid OpenAPI 3.1", async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(openApiDocument()));
  assert.ok(valid, JSON.stringify(errors));
});

Deno.test("Every route is described, and all that is described is a route", () => {
  const routes = createApp(idleServices()).routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path}`)
    .filter((route) => !NOT_API.test(route))
    .map((route) =>
      route.replace(":id", "{graph_id}").replace(":user", "{user_id}").replace(":name", "{asset}")
    );
  assert.deepEqual([...new Set(routes)].sort(), describedOperations().sort());
});

/** Calls the server, and holds each answer, and each body that it took, against the description. */
class Checked {
  readonly seen = new Set<string>();

  constructor(private readonly server: TestServer) {}

  /** The answer's body. */
  async call(operation: string, id: string, options: RequestOptions = {}): Promise<unknown> {
    const [method = "", path = ""] = operation.split(" ");
    const [pattern = ""] = path.split("?");
    const response = await this.server.fetch(addressOf(path, id), { ...options, method });
    const where = ["paths", pattern, method.toLowerCase()];
    const content = ["content", "application/json", "schema"];
    const types = described.paths[pattern]?.[method.toLowerCase()]
      ?.responses[response.status]?.content;
    assert.ok(types !== undefined, `${operation} ${response.status} is not described`);
    const type = (response.headers.get("content-type") ?? "").split(";")[0] ?? "";
    if (!("*/*" in types)) assert.deepEqual(Object.keys(types), [type], operation);
    this.seen.add(`${operation.split("?")[0]} ${response.status}`);
    if (types[type]?.schema === undefined) return void await response.body?.cancel();
    const body: unknown = await response.json();
    const check = checkAt([...where, "responses", String(response.status), ...content]);
    assert.ok(check(body), `${operation}: ${JSON.stringify(body)} ${JSON.stringify(check.errors)}`);
    const isTaken = response.ok && !JSON.stringify(body).includes("tx/reject");
    if (options.json === undefined || !isTaken) return body;
    const asked = checkAt([...where, "requestBody", ...content]);
    assert.ok(asked(options.json), `${operation}: ${JSON.stringify(options.json)}`);
    return body;
  }
}

async function callMembers(api: Checked, graph: string): Promise<void> {
  const members = "/graphs/{graph_id}/members";
  const json = { email: "bob@example.org" };
  await api.call(`POST ${members}`, graph, { json: { email: "nobody@example.org" } });
  await api.call("GET /graphs", graph, { as: "bob" });
  await api.call(`POST ${members}`, graph, { json });
  await api.call(`POST ${members}`, graph, { json, as: "bob" });
  await api.call("GET /graphs", graph, { as: "bob" });
  await api.call(`GET ${members}`, graph);
  await api.call(`PUT ${members}/{user_id}`, graph, { json: { role: "member" } });
  await api.call(`PUT ${members}/{user_id}`, graph, { json: { role: "owner" } });
}

async function callToday(api: Checked, graph: string): Promise<void> {
  const name = { "graph-name": "today", "graph-e2ee?": false };
  await api.call("POST /graphs", graph, { json: name });
  await api.call("POST /graphs", graph, { json: { ...name, "schema-version": 65 } });
  await api.call("POST /graphs", graph, { json: name });
  const batch = "POST /sync/{graph_id}/tx/batch";
  const made = entry("insert-blocks", ...newBlock(crypto.randomUUID(), "a"));
  const lost = ["~:db/add", lookup(crypto.randomUUID()), "~:block/title", "x"];
  const send = (json: unknown): Promise<unknown> => api.call(batch, graph, { json });
  await send({ "t-before": 0, "txs": [made, { tx: "[]" }] });
  await send({ "t-before": 0, "txs": [entry("save-block", lost)] });
  await send({ "t-before": 1, "txs": [entry("save-block", lost)] });
  await send({ "t-before": -1, "txs": [made] });
  await send({ "t-before": 1, "txs": [1] });
  await api.call("GET /sync/{graph_id}/pull", graph);
}

/** And then puts bob out. */
async function callKeys(api: Checked, graph: string): Promise<void> {
  const user = { "public-key": "p", "encrypted-private-key": "s" };
  const publicKey = "GET /e2ee/user-public-key?email=alice@example.org";
  const key = "/e2ee/graphs/{graph_id}/aes-key";
  const grant = "POST /e2ee/graphs/{graph_id}/grant-access";
  for (const stored of [false, true]) {
    if (stored) await api.call("POST /e2ee/user-keys", graph, { json: user });
    if (stored) await api.call(`POST ${key}`, graph, { json: { "encrypted-aes-key": "k" } });
    await api.call("GET /e2ee/user-keys", graph);
    await api.call(publicKey, graph);
    await api.call(`GET ${key}`, graph);
  }
  const grants = ["bob@example.org", "nobody@example.org"]
    .map((email) => ({ email, "encrypted-aes-key": "k" }));
  const json = { "target-user-email+encrypted-aes-key-coll": grants };
  await api.call(grant, graph, { json });
  await api.call(grant, graph, { json, as: "bob" });
  await api.call(grant, graph, { json: {} });
  await api.call("DELETE /graphs/{graph_id}/members/{user_id}", graph);
  await api.call("PUT /graphs/{graph_id}/members/{user_id}", graph, { json: { role: "member" } });
}

Deno.test("Real answers, good ones and refusals, are as they are described", async () => {
  await using server = await startServer({ variables: { METRICS: "on" } });
  const api = new Checked(server);
  const graph = await server.createGraph();
  await api.call("POST /graphs", graph, { json: { graph_name: "n", schema_version: null } });
  await api.call("GET /graphs", graph);
  for (const path of ["/graphs/{graph_id}/access", "/sync/{graph_id}/health"]) {
    await api.call(`GET ${path}`, graph);
    await api.call(`GET ${path}`, graph, { as: null });
    await api.call(`GET ${path}`, graph, { as: "bob" });
    await api.call(`GET ${path}`, newGraphId());
  }
  const txs = [blockTx(crypto.randomUUID(), "a")];
  const batch = "POST /sync/{graph_id}/tx/batch";
  await api.call(batch, graph, { json: { t_before: 0, txs } });
  await api.call(batch, graph, { json: { t_before: 0, txs } });
  await api.call(batch, graph, { json: { t_before: -1, txs } });
  await api.call(batch, graph, { json: { t_before: 0 } });
  await api.call("GET /sync/{graph_id}/pull?since=0", graph);
  await api.call("GET /sync/{graph_id}/pull?since=x", graph);
  await api.call("GET /sync/{graph_id}/snapshot/rows?limit=1", graph);
  const rows = [[7, "x", null], [8, "y", "[]"]];
  await api.call("POST /sync/{graph_id}/snapshot/import", graph, { json: { rows } });
  await api.call("POST /sync/{graph_id}/snapshot/import", graph, { body: "{" });
  await api.call("DELETE /sync/{graph_id}/admin/reset", graph);
  await api.call("GET /sync/{graph_id}/checksum/diagnostics", graph);
  const uploaded = readRows("small-a");
  const upload = "POST /sync/{graph_id}/snapshot/upload";
  await api.call(`${upload}?finished=true`, graph, { body: frameOf(uploaded) });
  await api.call(`${upload}?reset=false`, graph, { body: frameOf(uploaded) });
  await api.call(upload, graph, { body: "x" });
  await api.call("GET /sync/{graph_id}/snapshot/download", graph);
  await api.call("GET /sync/{graph_id}/snapshot/stream", graph);
  const asset = "/assets/{graph_id}/{asset}";
  await api.call(`PUT ${asset}`, graph, { body: "some bytes" });
  await api.call(`GET ${asset}`, graph);
  await api.call(`GET ${asset}`, graph, { headers: { range: "bytes=0-3" } });
  await api.call(`GET ${asset}`, graph, { headers: { range: "bytes=99-" } });
  await api.call(`DELETE ${asset}`, graph);
  await api.call(`GET ${asset}`, graph);
  await callMembers(api, graph);
  await callKeys(api, graph);
  await callToday(api, await server.createGraph());
  await api.call("GET /sync/{graph_id}", graph);
  await api.call("DELETE /graphs/{graph_id}", graph);
  for (const path of ["/health", "/ready", "/metrics", "/openapi.json"]) {
    await api.call(`GET ${path}`, graph, { as: null });
  }
  const missed = describedOperations().filter((operation) =>
    !api.seen.has(`${operation} 200`) && operation !== "GET /sync/{graph_id}"
  );
  assert.deepEqual(missed, []);
});

const conflictSchema = z.object({
  content: z.object({
    "application/json": z.object({
      schema: z.object({
        properties: z.object({ error: z.object({ enum: z.array(z.string()) }) }),
      }),
    }),
  }),
});

/** Whether the description says that an operation may be answered so. */
function saysNotReady(operation: string): boolean {
  const [method = "", path = ""] = operation.split(" ");
  const conflict = described.paths[path]?.[method.toLowerCase()]?.responses["409"];
  if (conflict === undefined) return false;
  const { schema } = conflictSchema.parse(conflict).content["application/json"];
  return schema.properties.error.enum.includes("graph not ready");
}

Deno.test("Of a graph that isn't ready just those routes say so that are described to", async () => {
  await using server = await startServer();
  const operations = describedOperations().filter((operation) => operation.includes("{graph_id}"));
  const refused: string[] = [];
  for (const operation of operations) {
    const [method = "", path = ""] = operation.split(" ");
    const response = await server.fetch(addressOf(path, await createUnready(server)), {
      method,
      ...method !== "GET" && { json: {} },
    });
    if (await response.text() !== '{"error":"graph not ready"}') continue;
    assert.equal(response.status, 409);
    refused.push(operation);
  }
  assert.deepEqual(refused, operations.filter(saysNotReady));
});

Deno.test("An answer with a field more or less is none that is described", () => {
  const check = checkAt(["components", "schemas", "CreatedGraph"]);
  assert.ok(check({ graph_id: "x" }));
  assert.ok(!check({}));
  assert.ok(!check({ graph_id: "x", more: 1 }));
});

Deno.test("What a client may say on a socket is described, in both dialects, and nothing else", () => {
  const check = checkAt(["components", "schemas", "ClientMessage"]);
  const type = "tx/batch";
  const entries = [entry("save-block"), { "tx": "[]", "outliner-op": null }];
  for (
    const message of [
      { type: "hello", client: "laptop" },
      { type: "hello" },
      { type: "ping" },
      { type: "pull" },
      { type: "pull", since: 3 },
      { type: "pull", since: -1 },
      { type, t_before: 0, txs: ["[]"] },
      { type, t_before: 0, txs: entries },
      { type, t_before: -1, txs: [] },
      { type, "t-before": 0, "txs": entries },
      { type, "t-before": 0, "txs": ["[]"] },
      { type, "t-before": -1, "txs": [] },
      { type, "txs": entries },
      { "type": "presence", "editing-block-uuid": null },
      { "type": "presence", "editing-block-uuid": 1 },
      { type: "tx" },
    ]
  ) {
    const text = JSON.stringify(message);
    assert.equal(check(message), parseClientMessage(text).ok, text);
  }
});

Deno.test("No field of a body or a frame is described as one that clients may only read", () => {
  assert.doesNotMatch(JSON.stringify(described), /"readOnly"/);
});

Deno.test("What the server says on sockets is described, in both dialects", async () => {
  await using server = await startServer();
  const check = checkAt(["components", "schemas", "ServerMessage"]);
  assert.ok(!check({ type: "changed", t: 1, more: 1 }));
  const made = entry("insert-blocks", ...newBlock(crypto.randomUUID(), "a"));
  const lost = entry("save-block", ["~:db/add", lookup(crypto.randomUUID()), "~:block/title", "x"]);
  const batches = {
    seed: [
      { t_before: 0, txs: [blockTx(crypto.randomUUID(), "a")] },
      { t_before: 0, txs: ["[]"] },
      { t_before: -1, txs: [] },
    ],
    today: [
      { "t-before": 0, "txs": [made] },
      { "t-before": 0, "txs": [lost] },
      { "t-before": 1, "txs": [lost] },
      { "t-before": -1, "txs": [] },
    ],
  };
  for (const [dialect, sent] of Object.entries(batches)) {
    const graph = await server.createGraph();
    const said = new Set<string>();
    const read = (text: string): { readonly type: string } | undefined => {
      const frame: { readonly type: string } = JSON.parse(text);
      assert.ok(check(frame), text);
      said.add(frame.type);
      // It may come between any two others.
      return frame.type === "online-users" ? undefined : frame;
    };
    await using writer = await server.connectAs(graph, read);
    await using reader = await server.connectAs(graph, read);
    reader.send({ type: "presence" });
    await reader.ask({ type: "ping" });
    for (const batch of sent) await writer.ask({ type: "tx/batch", ...batch });
    for (const type of ["hello", "pull", "ping", "what"]) {
      await writer.ask({ type, client: "laptop" });
    }
    assert.deepEqual(await reader.next(), { type: "changed", t: 1 });
    const news = ["changed", "online-users"];
    const answers = ["error", "hello", "pong", "pull/ok", "tx/batch/ok", "tx/reject"];
    assert.deepEqual([...said].sort(), [...news, ...answers].sort(), dialect);
  }
});

Deno.test("GET /docs and what it loads come from this server, under a strict policy", async () => {
  await using server = await startServer();
  const response = await server.fetch("/docs", { as: null });
  assert.equal(response.status, 200);
  const policy = response.headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /script-src 'self';/);
  assert.ok(!policy.includes("unsafe"), policy);
  const loaded = [...(await response.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, to]) =>
    to ?? ""
  );
  assert.ok(loaded.length >= 4);
  for (const to of loaded) {
    assert.match(to, /^[a-z]/);
    const file = await server.fetch(`/${to}`, { as: null });
    assert.equal(file.status, 200, to);
    assert.ok((await file.bytes()).length > 100, to);
  }
});

Deno.test("A page's file that hasn't changed isn't sent again", async () => {
  await using server = await startServer();
  const first = await server.fetch("/static/swagger-ui-bundle.js", { as: ALICE });
  assert.match(first.headers.get("content-type") ?? "", /^text\/javascript/);
  await first.body?.cancel();
  const again = await server.fetch("/static/swagger-ui-bundle.js", {
    as: null,
    headers: { "if-none-match": first.headers.get("etag") ?? "" },
  });
  assert.equal(again.status, 304);
  await again.body?.cancel();
});

Deno.test("A page's file goes out in pieces as they are read, so little is kept for who reads none", async () => {
  for (const path of ["/static/swagger-ui-bundle.js", "/openapi.json"]) {
    const response = await createApp(idleServices()).request(path);
    const { body, headers } = response;
    assert.ok(body !== null);
    const pieces = await Array.fromAsync(body);
    assert.ok(pieces.every(({ length }) => length <= 64 * 1024), path);
    const whole = await new Blob(pieces).bytes();
    assert.equal(headers.get("content-length"), String(whole.length));
    assert.equal(headers.get("etag"), `"${sha256Of(whole)}"`);
  }
});
