import assert from "node:assert/strict";
import { newGraphId } from "../../protocol/ids.ts";
import {
  grantAccessAnswerSchema,
  graphKeyAnswerSchema,
  keyPairAnswerSchema,
  MAX_KEY_LENGTH,
  publicKeyAnswerSchema,
} from "../../protocol/today/e2ee.ts";
import { dump } from "../support/kv.ts";
import { startServer, type TestServer } from "../support/server.ts";

const forbidden = { status: 403, body: { error: "forbidden" } };
const notFound = { status: 404, body: { error: "not found" } };
const invalid = { status: 400, body: { error: "invalid body" } };
const missing = { status: 400, body: { error: "missing body" } };
const PAIR = { "public-key": '["~#k","é 😀"]', "encrypted-private-key": '["~#e","…"]' };

/** carol's graph, with bob as its member; sam is none of it, and has been seen. */
async function shared(server: TestServer): Promise<string> {
  for (const as of ["bob", "sam"]) await server.call("/graphs", { as });
  const graph = await server.createGraph("carol");
  const json = { "user-id": "bob" };
  await server.call(`/graphs/${graph}/members`, { as: "carol", json });
  return graph;
}

async function keyOf(server: TestServer, graph: string, as: string): Promise<string | null> {
  const { status, body } = await server.call(`/e2ee/graphs/${graph}/aes-key`, { as });
  assert.equal(status, 200);
  return graphKeyAnswerSchema.parse(body)["encrypted-aes-key"];
}

async function grant(
  server: TestServer,
  graph: string,
  grants: readonly unknown[],
  as = "carol",
): Promise<{ status: number; body: unknown }> {
  const json = { "target-user-email+encrypted-aes-key-coll": grants };
  return await server.call(`/e2ee/graphs/${graph}/grant-access`, { as, json });
}

Deno.test("A user's keys come back as they were sent, the last ones, and to nobody else", async () => {
  await using server = await startServer();
  assert.deepEqual(await server.call("/e2ee/user-keys"), { status: 200, body: {} });
  const flag = async (): Promise<unknown> => (await server.call("/graphs")).body;
  assert.deepEqual(await flag(), { "graphs": [], "user-rsa-keys-exists?": false });
  for (const json of [PAIR, { ...PAIR, "public-key": "k", "reset-private-key?": true }]) {
    const pair = { ...PAIR, "public-key": json["public-key"] };
    const answer = { status: 200, body: pair };
    assert.deepEqual(await server.call("/e2ee/user-keys", { json }), answer);
    const kept = await server.call("/e2ee/user-keys");
    assert.deepEqual(kept, answer);
    keyPairAnswerSchema.parse(kept.body);
  }
  assert.deepEqual(await flag(), { "graphs": [], "user-rsa-keys-exists?": true });
  assert.deepEqual(await server.call("/e2ee/user-keys", { as: "bob" }), { status: 200, body: {} });
});

Deno.test("Anyone signed in gets a user's public key by his e-mail, and no more of him", async () => {
  await using server = await startServer();
  await server.call("/e2ee/user-keys", { json: PAIR });
  await server.call("/graphs", { as: "bob" });
  const publicKey = async (query: string): Promise<unknown> => {
    const { status, body } = await server.call(`/e2ee/user-public-key${query}`, { as: "sam" });
    assert.equal(status, 200);
    return publicKeyAnswerSchema.parse(body);
  };
  const found = { "public-key": PAIR["public-key"] };
  assert.deepEqual(await publicKey("?email=alice@example.org"), found);
  assert.deepEqual(await publicKey("?email=Alice%40Example.ORG"), found);
  for (const query of ["?email=bob@example.org", "?email=nobody@example.org", "?email=x", ""]) {
    assert.deepEqual(await publicKey(query), {}, query);
  }
});

Deno.test("A graph's key is each member's own, and null until there is one", async () => {
  await using server = await startServer();
  const graph = await shared(server);
  assert.equal(await keyOf(server, graph, "carol"), null);
  const path = `/e2ee/graphs/${graph}/aes-key`;
  for (const as of ["carol", "bob"]) {
    const json = { "encrypted-aes-key": `for ${as}` };
    assert.deepEqual(await server.call(path, { as, json }), { status: 200, body: json });
  }
  assert.equal(await keyOf(server, graph, "carol"), "for carol");
  assert.equal(await keyOf(server, graph, "bob"), "for bob");
  const before = await dump(server.kv);
  const json = { "encrypted-aes-key": "mine" };
  assert.deepEqual(await server.call(path, { as: "sam" }), forbidden);
  assert.deepEqual(await server.call(path, { as: "sam", json }), forbidden);
  const nowhere = `/e2ee/graphs/${newGraphId()}/aes-key`;
  assert.deepEqual(await server.call(nowhere, { as: "carol", json }), notFound);
  assert.deepEqual(await dump(server.kv), before);
});

Deno.test("A manager gives members their keys; e-mails that no member has come back, and get none", async () => {
  await using server = await startServer();
  const graph = await shared(server);
  const { status, body } = await grant(server, graph, [
    { "email": "Bob@example.org", "encrypted-aes-key": "for bob" },
    { "email": "sam@example.org", "encrypted-aes-key": "for sam" },
    { "user/email": "carol@example.org", "encrypted-aes-key": "for carol" },
    { "email": "nobody@example.org", "encrypted-aes-key": "for nobody" },
    { "email": "no address", "encrypted-aes-key": "for no one" },
  ]);
  assert.equal(status, 200);
  assert.deepEqual(grantAccessAnswerSchema.parse(body), {
    "ok": true,
    "missing-users": ["sam@example.org", "nobody@example.org", "no address"],
  });
  assert.equal(await keyOf(server, graph, "bob"), "for bob");
  assert.equal(await keyOf(server, graph, "carol"), "for carol");
  // A key that was refused him is not there for him when he is invited later.
  const json = { "user-id": "sam" };
  await server.call(`/graphs/${graph}/members`, { as: "carol", json });
  assert.equal(await keyOf(server, graph, "sam"), null);
  assert.deepEqual(await grant(server, graph, []), {
    status: 200,
    body: { "ok": true, "missing-users": [] },
  });
});

Deno.test("Who is no manager gives nobody a key", async () => {
  await using server = await startServer();
  const graph = await shared(server);
  const before = await dump(server.kv);
  const grants = [{ "email": "bob@example.org", "encrypted-aes-key": "mine" }];
  for (const as of ["bob", "sam"]) {
    assert.deepEqual(await grant(server, graph, grants, as), forbidden);
  }
  assert.deepEqual(await dump(server.kv), before);
});

Deno.test("A member who is put out loses his key, and finds none when he comes back", async () => {
  await using server = await startServer();
  const graph = await shared(server);
  await grant(server, graph, [{ "email": "bob@example.org", "encrypted-aes-key": "for bob" }]);
  await server.call(`/graphs/${graph}/members/bob`, { as: "carol", method: "DELETE" });
  assert.deepEqual(await server.call(`/e2ee/graphs/${graph}/aes-key`, { as: "bob" }), forbidden);
  const json = { "user-id": "bob" };
  await server.call(`/graphs/${graph}/members`, { as: "carol", json });
  assert.equal(await keyOf(server, graph, "bob"), null);
});

Deno.test("A body that holds no key changes nothing", async () => {
  await using server = await startServer();
  const graph = await shared(server);
  const before = await dump(server.kv);
  const as = "carol";
  const long = "x".repeat(MAX_KEY_LENGTH + 1);
  for (const path of ["user-keys", `graphs/${graph}/aes-key`, `graphs/${graph}/grant-access`]) {
    const url = `/e2ee/${path}`;
    assert.deepEqual(await server.call(url, { as, method: "POST" }), missing);
    assert.deepEqual(await server.call(url, { as, body: "{" }), invalid);
    assert.deepEqual(await server.call(url, { as, json: {} }), invalid);
  }
  for (const key of ["", 1, null, long]) {
    const half = { "public-key": "k", "encrypted-private-key": key };
    assert.deepEqual(await server.call("/e2ee/user-keys", { as, json: half }), invalid);
    const json = { "encrypted-aes-key": key };
    assert.deepEqual(await server.call(`/e2ee/graphs/${graph}/aes-key`, { as, json }), invalid);
    assert.deepEqual(
      await grant(server, graph, [{ "email": "bob@example.org", "encrypted-aes-key": key }]),
      invalid,
    );
  }
  for (const email of [1, null, `${"x".repeat(1000)}@`]) {
    const asked = [{ "email": email, "encrypted-aes-key": "k" }];
    assert.deepEqual(await grant(server, graph, asked), invalid);
  }
  assert.deepEqual(await dump(server.kv), before);
});

Deno.test("The longest keys that are taken are kept whole, whatever their letters", async () => {
  await using server = await startServer();
  const key = "😀".repeat(MAX_KEY_LENGTH / 2);
  const json = { "public-key": key, "encrypted-private-key": key };
  assert.deepEqual(await server.call("/e2ee/user-keys", { json }), { status: 200, body: json });
  assert.deepEqual((await server.call("/e2ee/user-keys")).body, json);
});

Deno.test("Every route of /e2ee is 401 without a token", async () => {
  await using server = await startServer();
  const graph = await shared(server);
  for (const path of ["user-keys", "user-public-key?email=a@b", `graphs/${graph}/aes-key`, "x"]) {
    const { status } = await server.call(`/e2ee/${path}`, { as: null });
    assert.equal(status, 401, path);
  }
});
