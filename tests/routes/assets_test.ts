import assert from "node:assert/strict";
import { createApp } from "../../app.ts";
import { openBlobStores } from "../../assets/open.ts";
import { MAX_ASSET_BYTES } from "../../protocol/asset.ts";
import { newGraphId } from "../../protocol/ids.ts";
import { createGraphAnswerSchema } from "../../protocol/today/http.ts";
import { createServices } from "../../services.ts";
import { openFanout } from "../../sync/fanout.ts";
import { Hub } from "../../sync/hub.ts";
import { NO_METER } from "../../telemetry/metrics.ts";
import { bytesOf, sha256Of } from "../support/bytes.ts";
import { until, within } from "../support/deadline.ts";
import { keysOf } from "../support/kv.ts";
import { sendHead } from "../support/raw_request.ts";
import { startServer, type TestServer } from "../support/server.ts";

const UUID = "6f1e2d3c-0000-4000-8000-000000000001";
const badPath = { status: 400, body: { error: "invalid asset path" } };
const notFound = { status: 404, body: { error: "not found" } };
const tooLarge = { status: 413, body: { error: "asset too large" } };
const ok = { status: 200, body: { ok: true } };

async function put(
  server: TestServer,
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown }> {
  return await server.call(path, { method: "PUT", body: bytes, headers });
}

async function sha256At(server: TestServer, path: string): Promise<string> {
  const response = await server.fetch(path);
  assert.equal(response.status, 200);
  return sha256Of(await response.bytes());
}

Deno.test("PUT, GET, HEAD, DELETE of a file (§2)", async () => {
  await using server = await startServer();
  const path = `/assets/${await server.createGraph()}/${UUID}.png`;
  const bytes = bytesOf(200_000);
  const checksum = sha256Of(bytes);
  assert.deepEqual(await server.call(path), notFound);
  const headers = {
    "content-type": "image/png",
    "x-amz-meta-checksum": checksum,
    "x-amz-meta-type": "png",
  };
  assert.deepEqual(await put(server, path, bytes, headers), ok);

  for (const method of ["GET", "HEAD"]) {
    const response = await server.fetch(path, { method });
    assert.equal(response.status, 200);
    const expected = {
      "content-type": "image/png",
      "content-length": "200000",
      "x-asset-type": "png",
      "x-amz-meta-checksum": checksum,
      "etag": `"${checksum}"`,
      "accept-ranges": "bytes",
      "cache-control": "private, no-cache",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      "access-control-allow-origin": "*",
    };
    for (const [name, value] of Object.entries(expected)) {
      assert.equal(response.headers.get(name), value, `${method} ${name}`);
    }
    const sent = await response.bytes();
    assert.equal(sha256Of(sent), sha256Of(method === "GET" ? bytes : new Uint8Array()));
  }

  assert.deepEqual(await server.call(path, { method: "DELETE" }), ok);
  assert.deepEqual(await server.call(path), notFound);
  assert.deepEqual(await server.call(path, { method: "DELETE" }), ok);
});

Deno.test("A file without a content type is application/octet-stream, an empty one is a file", async () => {
  await using server = await startServer();
  const path = `/assets/${await server.createGraph()}/${UUID}.bin`;
  assert.deepEqual(await put(server, path, new Uint8Array()), ok);
  const response = await server.fetch(path);
  assert.equal(response.headers.get("content-type"), "application/octet-stream");
  assert.equal(response.headers.get("content-length"), "0");
  assert.equal((await response.bytes()).length, 0);
});

Deno.test("A checksum that is not that of the bytes is 400, and the old file stays", async () => {
  await using server = await startServer();
  const path = `/assets/${await server.createGraph()}/${UUID}.png`;
  await put(server, path, bytesOf(10));
  const before = await keysOf(server.kv);
  assert.deepEqual(
    await put(server, path, bytesOf(20), { "x-amz-meta-checksum": "0".repeat(64) }),
    {
      status: 400,
      body: { error: "checksum mismatch" },
    },
  );
  assert.deepEqual(await keysOf(server.kv), before);
  // Upper case says the same; what is no SHA-256 is only kept.
  const upper = { "x-amz-meta-checksum": sha256Of(bytesOf(20)).toUpperCase() };
  assert.deepEqual(await put(server, path, bytesOf(20), upper), ok);
  assert.deepEqual(await put(server, path, bytesOf(30), { "x-amz-meta-checksum": "md5:x" }), ok);
  assert.equal(await sha256At(server, path), sha256Of(bytesOf(30)));
});

Deno.test("More than 100 MiB by Content-Length are 413, and nothing is stored", async () => {
  await using server = await startServer();
  const path = `/assets/${await server.createGraph()}/${UUID}.bin`;
  const before = await keysOf(server.kv);
  assert.deepEqual(await put(server, path, new Uint8Array(MAX_ASSET_BYTES + 1)), tooLarge);
  assert.deepEqual(await keysOf(server.kv), before);
});

async function encryptedGraph(server: TestServer): Promise<string> {
  const pair = { "public-key": "public", "encrypted-private-key": "private" };
  await server.call("/e2ee/user-keys", { json: pair });
  const json = { "graph-name": "secrets", "graph-e2ee?": true };
  const { body } = await server.call("/graphs", { json });
  return createGraphAnswerSchema.parse(body)["graph-id"];
}

Deno.test("A file of an encrypted graph has the checksum of what was encrypted", async () => {
  await using server = await startServer();
  const path = `/assets/${await encryptedGraph(server)}/${UUID}.png`;
  const [plain, encrypted] = [bytesOf(1000), bytesOf(1100)];
  const headers = { "x-amz-meta-checksum": sha256Of(plain) };
  assert.deepEqual(await put(server, path, encrypted, headers), ok);
  const response = await server.fetch(path);
  assert.equal(response.headers.get("x-amz-meta-checksum"), sha256Of(plain));
  assert.deepEqual(await response.bytes(), encrypted);
});

Deno.test("A file of an encrypted graph may be twice as large", async () => {
  await using server = await startServer();
  const path = `/assets/${await encryptedGraph(server)}/${UUID}.bin`;
  assert.deepEqual(await put(server, path, new Uint8Array(MAX_ASSET_BYTES + 1)), ok);
  assert.deepEqual(await put(server, path, new Uint8Array(2 * MAX_ASSET_BYTES + 1)), tooLarge);
});

Deno.test("100 MiB without a Content-Length are taken, a byte more is 413 and leaves nothing", async () => {
  // In this process: a client of Deno's takes long to send so much.
  await using server = await startServer();
  const hub = new Hub();
  const fanout = openFanout(hub, []);
  const stores = openBlobStores(server.kv);
  const app = createApp(
    await createServices({ kv: server.kv, hub, fanout, meter: NO_METER, stores, ...server.config }),
  );
  const graph = await server.createGraph();
  const before = await keysOf(server.kv);
  const authorization = `Bearer ${await server.token()}`;
  const piece = new Uint8Array(1024 * 1024);
  async function send(size: number): Promise<{ status: number; body: unknown }> {
    const body = ReadableStream.from((function* (): Generator<Uint8Array> {
      for (let sent = 0; sent < size; sent += piece.length) yield piece.subarray(0, size - sent);
    })());
    const init = { method: "PUT", headers: { authorization }, body };
    const response = await app.request(`/assets/${graph}/${UUID}.bin`, init);
    return { status: response.status, body: await response.json() };
  }
  assert.deepEqual(await send(MAX_ASSET_BYTES + 1), tooLarge);
  assert.deepEqual(await keysOf(server.kv), before);
  assert.deepEqual(await send(MAX_ASSET_BYTES), ok);
  fanout.close();
});

Deno.test("If-None-Match with the ETag is 304 without a body, with another it is the file", async () => {
  await using server = await startServer();
  const path = `/assets/${await server.createGraph()}/${UUID}.png`;
  await put(server, path, bytesOf(10));
  const etag = (await server.fetch(path, { method: "HEAD" })).headers.get("etag") ?? "";
  for (const value of [etag, `"x", ${etag}`, `W/${etag}`, "*"]) {
    const response = await server.fetch(path, { headers: { "if-none-match": value } });
    assert.equal(response.status, 304, value);
    assert.equal(response.headers.get("etag"), etag);
    assert.equal(await response.text(), "");
  }
  await put(server, path, bytesOf(11));
  const response = await server.fetch(path, { headers: { "if-none-match": etag } });
  assert.equal(response.status, 200);
  assert.equal((await response.bytes()).length, 11);
});

Deno.test("Range is 206 with just those bytes, 416 beyond the end, and 200 where it says nothing", async () => {
  await using server = await startServer();
  const path = `/assets/${await server.createGraph()}/${UUID}.mp4`;
  const bytes = bytesOf(150_000);
  await put(server, path, bytes);
  const etag = `"${sha256Of(bytes)}"`;
  const parts: [Record<string, string>, number, number][] = [
    [{ range: "bytes=0-0" }, 0, 1],
    [{ range: "bytes=65535-65536" }, 65_535, 65_537],
    [{ range: "bytes=149990-" }, 149_990, 150_000],
    [{ range: "bytes=-10" }, 149_990, 150_000],
    [{ range: "bytes=100-999999" }, 100, 150_000],
    [{ range: "bytes=1-5", "if-range": etag }, 1, 6],
  ];
  for (const [headers, start, end] of parts) {
    const response = await server.fetch(path, { headers });
    assert.equal(response.status, 206, JSON.stringify(headers));
    assert.equal(response.headers.get("content-range"), `bytes ${start}-${end - 1}/150000`);
    assert.equal(response.headers.get("content-length"), String(end - start));
    assert.equal(sha256Of(await response.bytes()), sha256Of(bytes.subarray(start, end)));
  }
  const whole: Record<string, string>[] = [
    { range: "bytes=1-2,5-6" },
    { range: "bytes=x" },
    { range: "lines=1-2" },
    { range: "bytes=1-5", "if-range": '"another"' },
    { range: "bytes=1-5", "if-range": `W/${etag}` },
  ];
  for (const headers of whole) {
    const response = await server.fetch(path, { headers });
    assert.equal(response.status, 200, JSON.stringify(headers));
    assert.equal(sha256Of(await response.bytes()), sha256Of(bytes));
  }
  const beyond = await server.fetch(path, { headers: { range: "bytes=150000-" } });
  assert.equal(beyond.status, 416);
  assert.equal(beyond.headers.get("content-range"), "bytes */150000");
  assert.deepEqual(await beyond.json(), { error: "range not satisfiable" });
});

Deno.test("A path that is no file's name is 400 whatever the method, and reaches no other graph", async () => {
  await using server = await startServer();
  const [graph, other] = [await server.createGraph(), await server.createGraph("bob")];
  const bobs = `/assets/${other}/${UUID}.png`;
  await server.fetch(bobs, { as: "bob", method: "PUT", body: "bob's" });
  const names = [
    "",
    "/",
    "/x",
    `/${UUID}`,
    `/${UUID}.`,
    `/.png`,
    `/${UUID}.tar.gz`,
    `/${UUID}.png.meta.json`,
    `/x/${UUID}.png`,
    `/${UUID}.png/`,
    `/${UUID}.p%2fng`,
    `/${UUID}.p%5cng`,
    `/${UUID}.p%00ng`,
    `/${UUID}.%252e%252e`,
    `/..%2f${other}%2f${UUID}.png`,
    `/%2e%2e%2f${other}%2f${UUID}.png`,
    `/${UUID}.${"x".repeat(256)}`,
    `/${"x".repeat(5000)}.png`,
    `/6f1e2d3c-0000-4000-8000-00000000000g.png`,
    `/6f1e2d3c00004000800000000000000001.png`,
  ];
  for (const name of names) {
    for (const method of ["GET", "PUT", "DELETE", "POST"]) {
      const path = `/assets/${graph}${name}`;
      assert.deepEqual(await server.call(path, { method }), badPath, `${method} ${name}`);
    }
  }
  assert.deepEqual(await server.call("/assets"), badPath);
  assert.deepEqual(await server.call("/assets/"), badPath);
  // A client folds dots before it sends: this is bob's file itself.
  for (const path of [bobs, `/assets/${graph}/../${other}/${UUID}.png`]) {
    assert.deepEqual(await server.call(path), { status: 403, body: { error: "forbidden" } });
  }
  for (const id of [newGraphId(), "x", "..%2f", `${graph}%2f${UUID}.png`]) {
    assert.deepEqual(await server.call(`/assets/${id}/${UUID}.png`), notFound, id);
  }
  assert.equal((await keysOf(server.kv)).filter(([kind]) => kind === "asset").length, 1);
});

Deno.test("A name may be in upper case, and its ext any word", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await put(server, `/assets/${graph}/${UUID.toUpperCase()}.PNG`, bytesOf(10));
  assert.equal(await sha256At(server, `/assets/${graph}/${UUID}.PNG`), sha256Of(bytesOf(10)));
  assert.deepEqual(await server.call(`/assets/${graph}/${UUID}.png`), notFound);
  await put(server, `/assets/${graph}/${UUID}.%E5%9B%BE`, bytesOf(20));
  const response = await server.fetch(`/assets/${graph}/${UUID}.%E5%9B%BE`);
  assert.equal(response.headers.get("x-asset-type"), "%E5%9B%BE");
  assert.equal((await response.bytes()).length, 20);
  for (const ext of ["c++", "0 (draft)"]) {
    await put(server, `/assets/${graph}/${UUID}.${encodeURIComponent(ext)}`, bytesOf(20));
    const { headers } = await server.fetch(`/assets/${graph}/${UUID}.${ext}`, { method: "HEAD" });
    assert.equal(headers.get("x-asset-type"), ext);
  }
});

Deno.test("Other methods on a file are 405", async () => {
  await using server = await startServer();
  const path = `/assets/${await server.createGraph()}/${UUID}.png`;
  for (const method of ["POST", "PATCH"]) {
    assert.deepEqual(await server.call(path, { method }), {
      status: 405,
      body: { error: "method not allowed" },
    });
    const { headers } = await server.fetch(path, { method });
    assert.equal(headers.get("allow"), "GET, HEAD, PUT, DELETE");
  }
});

Deno.test("An upload that the client breaks off leaves nothing", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const before = await keysOf(server.kv);
  const broken = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(bytesOf(1_000_000)),
    // Once the first commit is there the client goes.
    async pull(controller): Promise<void> {
      const key = (await keysOf(server.kv)).find(([kind]) => kind === "loose");
      if (key === undefined) return controller.enqueue(bytesOf(1000));
      controller.error(new Error("the client goes"));
      // Of the marker's deletion, which is the last thing that is done.
      for await (const [entry] of server.kv.watch([key])) {
        if (entry?.versionstamp === null) break;
      }
      broken.resolve();
    },
  });
  await assert.rejects(server.fetch(`/assets/${graph}/${UUID}.bin`, { method: "PUT", body }));
  await broken.promise;
  assert.deepEqual(await keysOf(server.kv), before);
});

Deno.test("50 uploads at once, two to one name: whole files only, one of the two wins", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const files = Array.from({ length: 50 }, (_, i) => {
    const uuid = `6f1e2d3c-0000-4000-8000-${String(Math.max(i, 1)).padStart(12, "0")}`;
    return { path: `/assets/${graph}/${uuid}.bin`, bytes: bytesOf(i * 17_011, i) };
  });
  const answers = await Promise.all(files.map(({ path, bytes }) => put(server, path, bytes)));
  assert.deepEqual(answers, files.map(() => ok));
  for (const { path, bytes } of files.slice(2)) {
    assert.equal(await sha256At(server, path), sha256Of(bytes), path);
  }
  const [first, second] = files;
  assert.ok(first !== undefined && first.path === second?.path);
  const winner = await sha256At(server, first.path);
  assert.ok([sha256Of(first.bytes), sha256Of(second.bytes)].includes(winner));
});

Deno.test("A file in a store that is no longer set is 500 missing assets bucket", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const path = `/assets/${graph}/${UUID}.png`;
  await put(server, path, bytesOf(10));
  for await (const { key, value } of server.kv.list<object>({ prefix: ["asset"] })) {
    await server.kv.set(key, { ...value, store: "s3" });
  }
  assert.deepEqual(await server.call(path), {
    status: 500,
    body: { error: "missing assets bucket" },
  });
});

Deno.test("Uploads beyond their user's share of memory are 429, until some have ended", async () => {
  await using server = await startServer({ variables: { MAX_BODY_MIB: "1" } });
  const folder = `/assets/${await server.createGraph()}`;
  // Of each as much may be in memory as a piece of the store's, 8 MiB: 16 are a user's 128.
  const begun = await Promise.all(
    Array.from({ length: 17 }, (_, i) => {
      const start = `PUT ${folder}/6f1e2d3c-0000-4000-8000-0000000001${10 + i}.png`;
      return sendHead(server, start, ["content-length: 8388608"]);
    }),
  );
  const answers = begun.map(async (tcp) => {
    const bytes = new Uint8Array(100);
    const read = await tcp.read(bytes).catch(() => null);
    return new TextDecoder().decode(bytes.subarray(0, read ?? 0));
  });
  assert.match(await within(Promise.race(answers), "one to be refused"), /^HTTP\/1.1 429 /);
  for (const tcp of begun) tcp.close();
  assert.equal((await Promise.all(answers)).filter((text) => text !== "").length, 1);
  const path = `${folder}/${UUID}.png`;
  const isStored = async (): Promise<boolean> =>
    (await put(server, path, bytesOf(10))).status === 200;
  await within(until(isStored), "room");
});
