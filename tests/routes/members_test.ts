import assert from "node:assert/strict";
import { z } from "zod";
import { signToken } from "../../auth/sign.ts";
import { newGraphId } from "../../protocol/ids.ts";
import { membersAnswerSchema, roleInGraphSchema } from "../../protocol/today/members.ts";
import { keysOf } from "../support/kv.ts";
import { AUTH_SECRET } from "../support/secret.ts";
import { startServer, type TestServer } from "../support/server.ts";

const ok = { status: 200, body: { ok: true } };
const forbidden = { status: 403, body: { error: "forbidden" } };
const notFound = { status: 404, body: { error: "not found" } };
const userNotFound = { status: 400, body: { error: "user not found" } };
const invalid = { status: 400, body: { error: "invalid body" } };

/** carol made it; max manages it too, mia and mo are members; sam is none. */
const USERS = ["carol", "max", "mia", "mo", "sam"] as const;
type User = (typeof USERS)[number];

async function seen(server: TestServer, ...users: readonly string[]): Promise<void> {
  for (const as of users) await server.call("/graphs", { as });
}

/** A graph with all of them, and what its members are. */
async function peopled(server: TestServer): Promise<string> {
  await seen(server, ...USERS);
  const graph = await server.createGraph("carol");
  for (const [user, role] of [["max", "manager"], ["mia", "member"], ["mo", "member"]] as const) {
    const json = { "user-id": user, role };
    assert.deepEqual(await server.call(`/graphs/${graph}/members`, { as: "carol", json }), ok);
  }
  return graph;
}

async function rolesOf(server: TestServer, graph: string): Promise<Record<string, string>> {
  const { body } = await server.call(`/graphs/${graph}/members`, { as: "carol" });
  const { members } = membersAnswerSchema.parse(body);
  return Object.fromEntries(members.map((member) => [member["user-id"], member.role]));
}

const MANAGER = { role: "manager" };
const BEFORE = { carol: "manager", max: "manager", mia: "member", mo: "member" };

Deno.test("The members of a graph are its creator, then those who were invited, as they call themselves", async () => {
  await using server = await startServer();
  const graph = await peopled(server);
  const { status, body } = await server.call(`/graphs/${graph}/members`, { as: "mo" });
  assert.equal(status, 200);
  const { members } = membersAnswerSchema.parse(body);
  assert.deepEqual(members.map((member) => member["user-id"]), ["carol", "max", "mia", "mo"]);
  assert.equal(members[0]?.["invited-by"], undefined);
  assert.equal(members[3]?.["invited-by"], "carol");
  assert.equal(members[3]?.email, "mo@example.org");
  assert.ok(members.every((member) => member["graph-id"] === graph));
});

/** Who may do what, on a graph as `peopled` makes it. `undefined`: all stay what they were. */
const RULES: readonly {
  readonly title: string;
  readonly by: User;
  readonly method: string;
  readonly path?: string;
  readonly json?: unknown;
  readonly answer: { status: number; body: unknown };
  readonly after?: Record<string, string | undefined>;
}[] = [
  ...(["carol", "max"] as const).flatMap((by) => [
    {
      title: `${by}, a manager, invites by id`,
      by,
      method: "POST",
      json: { "user-id": "sam" },
      answer: ok,
      after: { sam: "member" },
    },
    {
      title: `${by}, a manager, invites by e-mail, whatever its case, with a role`,
      by,
      method: "POST",
      json: { email: "Sam@Example.org", role: "manager" },
      answer: ok,
      after: { sam: "manager" },
    },
    {
      title: `${by}, a manager, invites nobody whom the server has never seen`,
      by,
      method: "POST",
      json: { email: "nobody@example.org" },
      answer: userNotFound,
    },
    {
      title: `${by}, a manager, invites no unknown id`,
      by,
      method: "POST",
      json: { "user-id": "nobody" },
      answer: userNotFound,
    },
    {
      title: `${by}, a manager, makes a member a manager`,
      by,
      method: "PUT",
      path: "/mia",
      json: { role: "manager" },
      answer: ok,
      after: { mia: "manager" },
    },
    {
      title: `${by}, a manager, puts a member out`,
      by,
      method: "DELETE",
      path: "/mia",
      answer: ok,
      after: { mia: undefined },
    },
    {
      title: `${by}, a manager, puts out who is none: nothing is left to do`,
      by,
      method: "DELETE",
      path: "/sam",
      answer: ok,
    },
    {
      title: `${by}, a manager, changes nobody who is no member`,
      by,
      method: "PUT",
      path: "/sam",
      json: { role: "member" },
      answer: userNotFound,
    },
    {
      title: `${by}, a manager, can't put out a manager`,
      by,
      method: "DELETE",
      path: "/max",
      answer: forbidden,
    },
    {
      title: `${by}, a manager, can't put out the creator`,
      by,
      method: "DELETE",
      path: "/carol",
      answer: forbidden,
    },
    {
      title: `${by}, a manager, can't lower the creator`,
      by,
      method: "PUT",
      path: "/carol",
      json: { role: "member" },
      answer: forbidden,
    },
    {
      title: `${by}, a manager, can't lower the creator by inviting again`,
      by,
      method: "POST",
      json: { "user-id": "carol", "role": "member" },
      answer: forbidden,
    },
  ]),
  {
    title: "A manager who invites a manager again without a role leaves him what he is",
    by: "carol",
    method: "POST",
    json: { "user-id": "max" },
    answer: ok,
  },
  {
    title: "A manager lowers a manager",
    by: "carol",
    method: "PUT",
    path: "/max",
    json: { role: "member" },
    answer: ok,
    after: { max: "member" },
  },
  {
    title: "A manager lowers himself",
    by: "max",
    method: "PUT",
    path: "/max",
    json: { role: "member" },
    answer: ok,
    after: { max: "member" },
  },
  {
    title: "A member goes by himself",
    by: "mia",
    method: "DELETE",
    path: "/mia",
    answer: ok,
    after: { mia: undefined },
  },
  ...["max", "mo", "carol", "sam"].map((user) => ({
    title: `A member can't put ${user} out`,
    by: "mia" as const,
    method: "DELETE",
    path: `/${user}`,
    answer: forbidden,
  })),
  ...(["mia", "sam"] as const).flatMap((by) =>
    [
      { title: `${by}, no manager, can't invite`, method: "POST", json: { "user-id": "sam" } },
      { title: `${by}, no manager, can't raise`, method: "PUT", path: `/${by}`, json: MANAGER },
      { title: `${by}, no manager, can't lower`, method: "PUT", path: "/max", json: MANAGER },
    ].map((rule) => ({ ...rule, by, answer: forbidden }))
  ),
  {
    title: "A stranger can't put anyone out",
    by: "sam",
    method: "DELETE",
    path: "/mia",
    answer: forbidden,
  },
  { title: "A stranger sees no members", by: "sam", method: "GET", answer: forbidden },
  ...[{}, { role: "member" }, { "user-id": "" }, { email: "no address" }, [], {
    "user-id": "sam",
    "role": "owner",
  }].map((json) => ({
    title: `${JSON.stringify(json)} invites nobody`,
    by: "carol" as const,
    method: "POST",
    json,
    answer: invalid,
  })),
  ...[{}, { role: "owner" }, { role: null }].map((json) => ({
    title: `${JSON.stringify(json)} changes nobody`,
    by: "carol" as const,
    method: "PUT",
    path: "/mia",
    json,
    answer: invalid,
  })),
];

Deno.test("The table of who may do what with members", async (t) => {
  await using server = await startServer();
  for (const { title, by, method, path = "", json, answer, after = {} } of RULES) {
    await t.step(title, async () => {
      const graph = await peopled(server);
      const given = await server.call(`/graphs/${graph}/members${path}`, {
        as: by,
        method,
        ...json !== undefined && { json },
      });
      assert.deepEqual(given, answer);
      const expected = Object.entries({ ...BEFORE, ...after });
      assert.deepEqual(
        await rolesOf(server, graph),
        Object.fromEntries(expected.filter(([, role]) => role !== undefined)),
      );
    });
  }
});

/** A user's graphs are counted by it; it outlives them. */
function isCreation([name]: Deno.KvKey): boolean {
  return name === "creation";
}

Deno.test("A member reads and writes, but deletes, empties and replaces nothing", async () => {
  await using server = await startServer();
  const graph = await peopled(server);
  const batch = { t_before: 0, txs: ['["~#list",[["^ ","~:db/ident","~:a"]]]'] };
  const asMia = { as: "mia" };
  assert.deepEqual(await server.call(`/graphs/${graph}/access`, asMia), ok);
  assert.equal((await server.call(`/sync/${graph}/pull`, asMia)).status, 200);
  const { body } = await server.call(`/sync/${graph}/tx/batch`, { ...asMia, json: batch });
  assert.deepEqual(body, { type: "tx/batch/ok", t: 1 });
  const before = await keysOf(server.kv);
  const other = await server.createGraph("mia");
  // Upstream's server took this header's word for the graph.
  for (const headers of [{}, { "x-graph-id": other }]) {
    for (
      const [method, path] of [
        ["DELETE", `/graphs/${graph}`],
        ["DELETE", `/sync/${graph}/admin/reset`],
        ["POST", `/sync/${graph}/snapshot/import`],
      ] as const
    ) {
      assert.deepEqual(await server.call(path, { ...asMia, method, headers }), forbidden, path);
    }
  }
  assert.deepEqual(
    (await keysOf(server.kv)).filter((key) => !key.includes(other) && !isCreation(key)),
    before.filter((key) => !isCreation(key)),
  );
  const json = { reset: true, rows: [] };
  for (const as of ["max", "carol"]) {
    const imported = await server.call(`/sync/${graph}/snapshot/import`, { as, json });
    assert.deepEqual(imported, { status: 200, body: { ok: true, count: 0 } });
    const reset = { as, method: "DELETE" };
    assert.deepEqual(await server.call(`/sync/${graph}/admin/reset`, reset), ok);
  }
  const removal = { as: "max", method: "DELETE" };
  assert.equal((await server.call(`/graphs/${graph}`, removal)).status, 200);
  assert.deepEqual(await server.call(`/graphs/${graph}/members`, { as: "carol" }), notFound);
});

const listSchema = z.object({
  graphs: z.array(roleInGraphSchema.extend({ graph_id: z.string() })),
});

Deno.test("A graph is listed to its creator and to its members, with what they are in it", async () => {
  await using server = await startServer();
  const graph = await peopled(server);
  const listedTo = async (as: string): Promise<unknown> =>
    listSchema.parse((await server.call("/graphs", { as })).body).graphs;
  assert.deepEqual(await listedTo("carol"), [{ graph_id: graph, role: "manager" }]);
  const invited = { "graph_id": graph, "invited-by": "carol" };
  assert.deepEqual(await listedTo("max"), [{ ...invited, role: "manager" }]);
  assert.deepEqual(await listedTo("mia"), [{ ...invited, role: "member" }]);
  assert.deepEqual(await listedTo("sam"), []);
  await server.call(`/graphs/${graph}/members/mia`, { as: "carol", method: "DELETE" });
  assert.deepEqual(await listedTo("mia"), []);
  assert.deepEqual(await server.call(`/graphs/${graph}/access`, { as: "mia" }), forbidden);
});

Deno.test("A graph that is deleted leaves no members, no keys, no files and nobody present", async () => {
  await using server = await startServer();
  await seen(server, ...USERS);
  const before = await keysOf(server.kv);
  const graph = await peopled(server);
  {
    await using socket = await server.connect(graph, "mia");
    await socket.ask({ type: "hello", client: "repo" });
    const json = { "encrypted-aes-key": '["~#k"]' };
    await server.call(`/e2ee/graphs/${graph}/aes-key`, { as: "mia", json });
    const asset = `/assets/${graph}/${crypto.randomUUID()}.png`;
    const stored = await server.call(asset, { as: "mia", method: "PUT", body: "bytes" });
    assert.deepEqual(stored, ok);
    await server.call(`/graphs/${graph}`, { as: "carol", method: "DELETE" });
    await socket.closed;
  }
  const left = (await keysOf(server.kv))
    .filter((key) => key[0] !== "instance" && !isCreation(key));
  assert.deepEqual(left, before);
  assert.deepEqual(await server.call(`/graphs/${newGraphId()}/members`), notFound);
});

Deno.test("An e-mail address finds who had it last in his token, and nobody who hasn't any more", async () => {
  await using server = await startServer();
  const graph = await server.createGraph("carol");
  const call = async (sub: string, claims: Record<string, unknown>): Promise<void> => {
    const token = await signToken(AUTH_SECRET, sub, Date.now(), 60, claims);
    const headers = { authorization: `Bearer ${token}` };
    assert.equal((await server.call("/graphs", { as: null, headers })).status, 200);
  };
  const invited = async (email: string): Promise<unknown> => {
    const { body } = await server.call(`/graphs/${graph}/members`, {
      as: "carol",
      json: { email },
    });
    const roles = Object.keys(await rolesOf(server, graph)).filter((user) => user !== "carol");
    for (const user of roles) {
      const removal = { as: "carol", method: "DELETE" };
      assert.deepEqual(await server.call(`/graphs/${graph}/members/${user}`, removal), ok);
    }
    return roles.length > 0 ? roles : body;
  };
  await call("u1", { email: "a@example.org" });
  assert.deepEqual(await invited("a@example.org"), ["u1"]);
  await call("u1", { email: "b@example.org" });
  assert.deepEqual(await invited("a@example.org"), { error: "user not found" });
  assert.deepEqual(await invited("b@example.org"), ["u1"]);
  await call("u2", { email: "b@example.org" });
  assert.deepEqual(await invited("b@example.org"), ["u2"]);
  await call("u3", { email: "b@example.org", email_verified: false });
  assert.deepEqual(await invited("b@example.org"), ["u2"]);
  await call("u1", { email: "c@example.org" });
  assert.deepEqual(await invited("b@example.org"), ["u2"]);
});
