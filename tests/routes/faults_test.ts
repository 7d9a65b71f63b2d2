import assert from "node:assert/strict";
import { createApp } from "../../app.ts";
import { parseConfig } from "../../config.ts";
import { openLimits } from "../../limits/request_limits.ts";
import { Shares } from "../../limits/shares.ts";
import { parseT, type T } from "../../protocol/ids.ts";
import { readyRoutes } from "../../routes/health.ts";
import type { Services } from "../../routes/services.ts";
import { Hub } from "../../sync/hub.ts";
import { parseUserId } from "../../protocol/ids.ts";
import { version } from "../support/ids.ts";
import { loggedBy } from "../support/log.ts";
import { AUTH_SECRET } from "../support/secret.ts";
import { frameOf } from "../support/snapshots.ts";

const ID = "7a0cbcd5-7bb2-4f7c-9d3f-0f0f6a1f5a4e";
const ASSET = `/assets/${ID}/7a0cbcd5-7bb2-4f7c-9d3f-0f0f6a1f5a4f.png`;
const GRAPH = `/sync/${ID}`;

/** Services over a store that is away: everything behind access fails with a telling message. */
function brokenServices(): Services {
  const away = (): Promise<never> => Promise.reject(new Error("secret detail of the store"));
  const id = parseUserId("alice");
  assert.ok(id !== undefined);
  return {
    verify: () => Promise.resolve({ ok: true, user: { id } }),
    limits: openLimits(parseConfig({ AUTH_SECRET })),
    graphs: {
      access: () => Promise.resolve("manager"),
      ready: () => Promise.resolve(true),
      create: away,
      list: away,
      remove: away,
      reset: away,
    },
    operations: {
      version: away,
      pull: away,
      txBatch: away,
      txEntries: away,
      speaksToday: () => {},
      edit: () => {},
    },
    snapshots: {
      page: away,
      importRows: away,
      pullForDownload: away,
      upload: away,
      versionToStream: away,
      stream: away,
    },
    assets: { isEncrypted: away, put: away, open: away, remove: away },
    pages: { overview: away, name: away, backup: away },
    diagnostics: away,
    trustProxy: false,
    hub: new Hub(),
    members: { list: away, add: away, setRole: away, remove: away },
    keys: {
      pairOf: away,
      setPair: away,
      publicKeyOf: away,
      graphKeyOf: away,
      setGraphKey: away,
      grant: away,
    },
    users: { seen: () => Promise.resolve() },
    presence: { enter: () => () => {} },
    ready: away,
  };
}

function request(path: string, init: RequestInit = {}): [string, RequestInit] {
  return [`http://localhost${path}`, { ...init, headers: { authorization: "Bearer x" } }];
}

Deno.test("A fault of ours is 500 server error on every route, with CORS and without a stack", async () => {
  const app = createApp(brokenServices());
  const requests = [
    request("/graphs"),
    request("/graphs", { method: "POST", body: '{"graph_name":"n"}' }),
    request("/graphs/7a0cbcd5-7bb2-4f7c-9d3f-0f0f6a1f5a4e", { method: "DELETE" }),
    request(`${GRAPH}/pull`),
    request(`${GRAPH}/pull?since=1`),
    request(`${GRAPH}/tx/batch`, { method: "POST", body: '{"t_before":0,"txs":["[]"]}' }),
    request(`${GRAPH}/tx/batch`, {
      method: "POST",
      body: '{"t-before":0,"txs":[{"tx":"[]"}]}',
    }),
    request(`${GRAPH}/checksum/diagnostics`),
    request(`${GRAPH}/snapshot/rows`),
    request(`${GRAPH}/snapshot/import`, { method: "POST", body: '{"rows":[]}' }),
    request(`${GRAPH}/snapshot/upload`, { method: "POST", body: frameOf([]) }),
    request(`${GRAPH}/snapshot/download`),
    request(`${GRAPH}/snapshot/stream`),
    request(`${GRAPH}/admin/reset`, { method: "DELETE" }),
    request(`/graphs/${ID}/members`),
    request(`/graphs/${ID}/members`, { method: "POST", body: '{"email":"b@c"}' }),
    request(`/graphs/${ID}/members/bob`, { method: "PUT", body: '{"role":"member"}' }),
    request(`/graphs/${ID}/members/bob`, { method: "DELETE" }),
    request("/e2ee/user-keys"),
    request("/e2ee/user-public-key?email=b@c"),
    request(`/e2ee/graphs/${ID}/aes-key`),
    request(ASSET),
    request(ASSET, { method: "PUT", body: "x" }),
    request(ASSET, { method: "DELETE" }),
  ];
  for (const [url, init] of requests) {
    const response = await app.request(url, init);
    assert.equal(response.status, 500, url);
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    assert.equal(await response.text(), '{"error":"server error"}');
  }
});

Deno.test("A fault in looking a graph or a token up is 500 too", async () => {
  const services = brokenServices();
  const away = (): Promise<never> => Promise.reject(new Error("secret detail of the store"));
  for (
    const broken of [
      { ...services, verify: away },
      { ...services, graphs: { ...services.graphs, access: away } },
    ]
  ) {
    const response = await createApp(broken).request(...request(`${GRAPH}/health`));
    assert.equal(response.status, 500);
    assert.equal(await response.text(), '{"error":"server error"}');
  }
});

Deno.test("Who calls is answered though the store can't remember him", async () => {
  const services = brokenServices();
  const list = (): Promise<[]> => Promise.resolve([]);
  const users = { seen: (): Promise<never> => Promise.reject(new Error("the disk is full")) };
  const answering = { ...services, users, members: { ...services.members, list } };
  const response = await createApp(answering).request(...request(`/graphs/${ID}/members`));
  assert.equal(response.status, 200);
});

Deno.test("A body beyond its user's share of memory is 429 with retry-after", async () => {
  const services = brokenServices();
  const limits = { ...services.limits, unanswered: new Shares(10) };
  const [url, init] = request("/graphs", { method: "POST", body: '{"graph_name":"n"}' });
  const response = await createApp({ ...services, limits }).request(url, init);
  assert.equal(response.status, 429);
  assert.equal(response.headers.get("retry-after"), "1");
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  assert.equal(await response.text(), '{"error":"too many requests"}');
});

Deno.test("A log that fails at its first entry is 500, one that fails later is cut off", async () => {
  const t = parseT(3);
  assert.ok(t !== undefined);
  async function* entries(good: number): AsyncGenerator<readonly { t: T; json: Uint8Array }[]> {
    const json = new TextEncoder().encode(`{"t":1,"tx":"${"x".repeat(100_000)}"}`);
    for (let i = 0; i < good; i++) yield [{ t: version(1), json }];
    await Promise.reject(new Error("chunk missing"));
  }
  const services = brokenServices();
  const appWith = (good: number): ReturnType<typeof createApp> =>
    createApp({
      ...services,
      operations: {
        ...services.operations,
        pull: () => Promise.resolve({ t, entries: entries(good) }),
      },
    });
  const atOnce = await appWith(0).request(...request(`${GRAPH}/pull?since=0`));
  assert.equal(atOnce.status, 500);
  assert.equal(await atOnce.text(), '{"error":"server error"}');
  const [line, ...more] = await loggedBy(async () => {
    const later = await appWith(2).request(...request(`${GRAPH}/pull?since=0`));
    assert.equal(later.status, 200);
    await assert.rejects(later.text());
  }).then((lines) => lines.filter(({ level }) => level === "error"));
  assert.ok(line !== undefined && more.length === 0);
  const { cause, ...fields } = line.properties;
  assert.deepEqual(fields, { method: "GET", path: `${GRAPH}/pull`, user: "alice", graph: ID });
  assert.ok(cause instanceof Error && cause.message === "chunk missing");
});

Deno.test("A log is read only as fast as the answer is, and no further once the client has gone", async () => {
  const t = parseT(1000);
  assert.ok(t !== undefined);
  let read = 0;
  let ended = false;
  async function* entries(): AsyncGenerator<readonly { t: T; json: Uint8Array }[]> {
    try {
      for (; read < 1000; read++) {
        yield [{
          t: version(1),
          json: new TextEncoder().encode(`{"t":1,"tx":"${"x".repeat(100_000)}"}`),
        }];
      }
      await Promise.resolve();
    } finally {
      ended = true;
    }
  }
  const services = brokenServices();
  const app = createApp({
    ...services,
    operations: { ...services.operations, pull: () => Promise.resolve({ t, entries: entries() }) },
  });
  const response = await app.request(...request(`${GRAPH}/pull?since=0`));
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.read();
  assert.ok(read <= 3, `${read} entries were read for two chunks`);
  await reader?.cancel();
  assert.equal(ended, true);
});

Deno.test("GET /ready is 503 where the store fails or takes too long; GET /health is 200 still", async () => {
  const app = createApp(brokenServices());
  const response = await app.request("/ready");
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { error: "not ready" });
  assert.equal((await app.request("/health")).status, 200);

  const silent = readyRoutes(() => new Promise<void>(() => {}), 1);
  assert.equal((await silent.request("/")).status, 503);
});
