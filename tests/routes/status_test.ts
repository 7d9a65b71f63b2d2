import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { signToken } from "../../auth/sign.ts";
import { newGraphId, parseUserId } from "../../protocol/ids.ts";
import { restoreGraph } from "../../sync/restore.ts";
import { upload } from "../support/client.ts";
import { until, within } from "../support/deadline.ts";
import { readRows } from "../support/fixtures.ts";
import { blockTx } from "../support/forms.ts";
import { AUTH_SECRET } from "../support/secret.ts";
import { ALICE, startServer, type TestServer } from "../support/server.ts";
import { Folder } from "../support/folder.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

interface Ask {
  readonly cookie?: string;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** As a browser does on this server's own pages; redirects are not followed. */
async function ask(server: TestServer, path: string, options: Ask = {}): Promise<Answer> {
  const { cookie, form, headers } = options;
  const response = await fetch(server.url + path, {
    redirect: "manual",
    ...form !== undefined && { method: "POST", body: new URLSearchParams(form) },
    headers: {
      origin: server.url,
      ...cookie !== undefined && { cookie },
      ...headers,
    },
  });
  const text = await response.text();
  return { status: response.status, text, headers: response.headers };
}

/** Signs in, and answers with the cookie as a browser sends it back. */
async function cookieOf(server: TestServer, as = ALICE): Promise<string> {
  const { status, headers } = await ask(server, "/sign-in", {
    form: { token: await server.token(as) },
  });
  assert.equal(status, 303);
  assert.equal(headers.get("location"), "./");
  return (headers.get("set-cookie") ?? "").split(";")[0] ?? "";
}

Deno.test("Who isn't signed in is asked for a token, and sees no graph", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const { status, text, headers } = await ask(server, "/");
  assert.equal(status, 200);
  assert.match(text, /^<!DOCTYPE html><html lang="en">/);
  assert.match(text, /<form class="card" method="post" action="\.\/sign-in">/);
  assert.doesNotMatch(text, /aria-invalid|Signed in as/);
  assert.ok(!text.includes(graph));
  assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'/);
  assert.equal(headers.get("cache-control"), "no-store");
  for (const page of ["delete", "backup"]) {
    const refused = await ask(server, `/status/${graph}/${page}`);
    assert.deepEqual([refused.status, refused.headers.get("location")], [303, "../../"]);
  }
});

Deno.test("A good token becomes a cookie that no script reads, no other site sends, and that ends with it", async () => {
  await using server = await startServer();
  const { headers } = await ask(server, "/sign-in", { form: { token: await server.token() } });
  const cookie = headers.get("set-cookie") ?? "";
  assert.match(cookie, /; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Strict$/);
  const ends = Date.parse(cookie.match(/Expires=([^;]+)/)?.[1] ?? "");
  assert.ok(Math.abs(ends - Date.now() - 60 * 60 * 1000) < 60_000);

  const proxied = await ask(server, "/sign-in", {
    form: { token: await server.token() },
    headers: { "x-forwarded-proto": "https" },
  });
  assert.match(proxied.headers.get("set-cookie") ?? "", /; Secure/);
});

Deno.test("A bad token, an expired one, none at all and a huge one are refused, and set no cookie", async () => {
  await using server = await startServer();
  const expired = await signToken(AUTH_SECRET, ALICE, Date.now(), -3600);
  const long = await signToken(AUTH_SECRET, "a".repeat(512), Date.now(), 60);
  const forms: readonly [number, Record<string, string>][] = [
    [401, { token: "x" }],
    [401, { token: expired }],
    [401, { token: "" }],
    [401, {}],
    [413, { token: long.repeat(40) }],
    // It is good, but no browser would keep it.
    [401, { token: await signToken(AUTH_SECRET, ALICE, Date.now(), 60, { x: "x".repeat(4000) }) }],
  ];
  for (const [wanted, form] of forms) {
    const { status, text, headers } = await ask(server, "/sign-in", { form });
    assert.equal(status, wanted);
    assert.match(text, /<p id="problem" class="problem" role="alert">/);
    assert.match(text, /<input id="token" [^>]*aria-describedby="problem token-help"/);
    assert.match(text, /<input id="token" [^>]*aria-invalid="true"/);
    assert.equal(headers.get("set-cookie"), null);
  }
});

Deno.test("A token that is good for longer than a browser keeps a cookie signs in all the same", async () => {
  await using server = await startServer();
  const days = 24 * 60 * 60;
  const token = await signToken(AUTH_SECRET, ALICE, Date.now(), 3650 * days);
  const { status, headers } = await ask(server, "/sign-in", { form: { token } });
  assert.equal(status, 303);
  const ends = Date.parse(headers.get("set-cookie")?.match(/Expires=([^;]+)/)?.[1] ?? "");
  const kept = (ends - Date.now()) / 1000;
  assert.ok(kept > 398 * days && kept < 400 * days, `${kept} s`);
});

Deno.test("A body that is not the form that it says is a bad token, and no fault of the server", async () => {
  await using server = await startServer();
  for (const type of ["multipart/form-data", "multipart/form-data; boundary=x"]) {
    const response = await fetch(`${server.url}/sign-in`, {
      method: "POST",
      headers: { "origin": server.url, "content-type": type },
      body: "token=x",
    });
    assert.equal(response.status, 401, type);
    assert.match(await response.text(), /<p id="problem" class="problem" role="alert">/);
  }
});

Deno.test("A cookie whose token has expired signs nobody in", async () => {
  await using server = await startServer();
  const expired = await signToken(AUTH_SECRET, ALICE, Date.now(), -3600);
  const { text } = await ask(server, "/", { cookie: `sync_session=${expired}` });
  assert.match(text, /action="\.\/sign-in"/);
});

Deno.test("A cookie is found among others, and is taken as it is, with no escape in it", async () => {
  await using server = await startServer();
  const cookie = await cookieOf(server);
  for (const good of [`a=b; ${cookie}`, `${cookie};a=%ff`, `xsync_session=a; ${cookie} ; b`]) {
    assert.match((await ask(server, "/", { cookie: good })).text, /Signed in as/, good);
  }
  const escaped = cookie.replaceAll(".", "%2E");
  for (
    const bad of [escaped, `${cookie}%`, `sync_session=${"%ff-".repeat(15_000)}`, `x${cookie}`]
  ) {
    assert.match((await ask(server, "/", { cookie: bad })).text, /action="\.\/sign-in"/);
  }
});

Deno.test("The page shows the own graphs with t, rows, size, clients, last change and activity", async () => {
  await using server = await startServer();
  const graph = await server.createGraph(ALICE, "<Notes> & more");
  const others = await server.createGraph("bob");
  await upload(server, graph, readRows("small-a"));
  for (const t of [0, 1]) {
    const txs = [blockTx(crypto.randomUUID(), "a")];
    await server.call(`/sync/${graph}/tx/batch`, { json: { t_before: t, txs } });
  }
  await using _socket = await server.connect(graph);
  const { text } = await ask(server, "/", { cookie: await cookieOf(server) });
  const facts = Object.fromEntries(
    [...text.matchAll(/<dt>([^<]+)<\/dt><dd>(?:<time[^>]*>)?([^<]+)/g)].map(([, k, v]) => [k, v]),
  );
  assert.equal(facts["Version"], "2");
  assert.equal(Number(facts["Rows"]?.replace(",", "")), readRows("small-a").length);
  assert.match(facts["Size"] ?? "", /^[\d.,]+ (kB|MB)$/);
  assert.equal(facts["Connected here"], "1");
  assert.match(facts["Last change"] ?? "", /^(now|\d+ seconds? ago)$/);
  assert.ok(text.includes(`>Signed in as ${ALICE}</span>`), text);
  assert.ok(text.includes("&lt;Notes&gt; &amp; more"));
  assert.ok(text.includes("2 changes in the last 24 hours, at most 2 in an hour"));
  assert.equal([...text.matchAll(/<rect/g)].length, 24);
  assert.ok(!text.includes(others));
  assert.ok(!text.includes("<script"));
  assert.ok(!/ style=/.test(text));
});

Deno.test("Pages count among their user's requests", async () => {
  await using server = await startServer({ variables: { REQUESTS_PER_SECOND: "1" } });
  const graph = await server.createGraph();
  const cookie = await cookieOf(server);
  const paths = ["/", `/status/${graph}/delete`];
  const answers: Answer[] = [];
  for (let i = 0; answers.at(-1)?.status !== 429 && i < 1000; i++) {
    answers.push(await ask(server, paths[i % 2] ?? "/", { cookie }));
  }
  assert.ok(answers.length >= 9, `${answers.map(({ status }) => status)}`);
  assert.equal(answers.at(-1)?.status, 429);
  assert.match(answers.at(-1)?.text ?? "", /Too many requests/);
  assert.equal((await ask(server, "/")).status, 200);
  assert.equal((await ask(server, "/", { cookie: await cookieOf(server, "bob") })).status, 200);
});

Deno.test("A member may download a graph, but only a manager deletes it at its page", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const bob = await cookieOf(server, "bob");
  await server.call("/graphs", { as: "bob" });
  const path = `/status/${graph}/delete`;
  const members = `/graphs/${graph}/members`;
  await server.call(members, { json: { "user-id": "bob" } });
  for (const form of [undefined, {}]) {
    const refused = await ask(server, path, { cookie: bob, ...form !== undefined && { form } });
    assert.equal(refused.status, 403);
    assert.match(refused.text, /Only a manager of this graph can delete it/);
  }
  assert.match((await ask(server, `/status/${graph}/backup`, { cookie: bob })).text, /Nothing to/);
  assert.equal((await server.call(`/graphs/${graph}/access`)).status, 200);

  await server.call(`${members}/bob`, { method: "PUT", json: { role: "manager" } });
  assert.equal((await ask(server, path, { cookie: bob, form: {} })).status, 303);
  assert.equal((await server.call(`/graphs/${graph}/access`)).status, 404);
});

Deno.test("A graph is deleted after a page has asked, and by nobody who has no access", async () => {
  await using server = await startServer();
  const graph = await server.createGraph(ALICE, "Notes");
  const path = `/status/${graph}/delete`;
  for (const id of [newGraphId(), "x"]) {
    const cookie = await cookieOf(server);
    assert.equal((await ask(server, `/status/${id}/delete`, { cookie })).status, 404);
  }
  const bob = await cookieOf(server, "bob");
  assert.equal((await ask(server, path, { cookie: bob })).status, 404);
  assert.equal((await ask(server, path, { cookie: bob, form: {} })).status, 404);

  const cookie = await cookieOf(server);
  const asked = await ask(server, path, { cookie });
  assert.match(asked.text, /Delete “Notes”\?/);
  assert.equal((await server.call(`/graphs/${graph}/access`)).status, 200);
  assert.equal((await ask(server, path, { cookie, form: {} })).status, 303);
  assert.equal((await server.call(`/graphs/${graph}/access`)).status, 404);
});

Deno.test("A form of another site is refused, whatever cookie comes with it", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const cookie = await cookieOf(server);
  for (const headers of [{ origin: "https://evil.example" }, { origin: "null" }]) {
    const options = { cookie, form: {}, headers };
    assert.equal((await ask(server, `/status/${graph}/delete`, options)).status, 403);
    assert.equal((await ask(server, "/sign-out", options)).status, 403);
    const signIn = { form: { token: await server.token() }, headers };
    assert.equal((await ask(server, "/sign-in", signIn)).status, 403);
  }
  assert.equal((await server.call(`/graphs/${graph}/access`)).status, 200);
});

Deno.test("Behind a proxy that is trusted a form's host is the one that the browser sees", async () => {
  const form = { token: "none" };
  const headers = {
    "origin": "https://sync.example.org",
    "x-forwarded-host": "sync.example.org",
    "x-forwarded-proto": "https",
  };
  await using trusting = await startServer({ variables: { TRUST_PROXY: "yes" } });
  assert.equal((await ask(trusting, "/sign-in", { form, headers })).status, 401);
  const other = { ...headers, origin: "https://evil.example" };
  assert.equal((await ask(trusting, "/sign-in", { form, headers: other })).status, 403);
  await using server = await startServer();
  assert.equal((await ask(server, "/sign-in", { form, headers })).status, 403);
});

Deno.test("No page has a link that begins at a proxy's root, and browsers tell this server where forms come from", async () => {
  await using server = await startServer();
  const graph = await server.createGraph(ALICE, "Notes");
  const cookie = await cookieOf(server);
  const pages = ["/", `/status/${graph}/delete`, `/status/${newGraphId()}/delete`, "/docs"];
  for (const path of pages) {
    const { text, headers } = await ask(server, path, { cookie });
    assert.doesNotMatch(text, /="\//, path);
    assert.equal(headers.get("referrer-policy"), "same-origin", path);
  }
});

Deno.test("The API takes no cookie", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const cookie = await cookieOf(server);
  for (const path of ["/graphs", `/graphs/${graph}/access`, `/sync/${graph}/pull`]) {
    assert.deepEqual(await server.call(path, { as: null, headers: { cookie } }), {
      status: 401,
      body: { error: "unauthorized" },
    });
  }
});

Deno.test("Signing out takes the cookie away", async () => {
  await using server = await startServer();
  const { status, headers } = await ask(server, "/sign-out", {
    cookie: await cookieOf(server),
    form: {},
  });
  assert.equal(status, 303);
  assert.match(headers.get("set-cookie") ?? "", /^sync_session=; Max-Age=0;/);
});

Deno.test("Of a graph that nothing was put into there is no backup", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const { status, text } = await ask(server, `/status/${graph}/backup`, {
    cookie: await cookieOf(server),
  });
  assert.equal(status, 404);
  assert.match(text, /Nothing to download/);
});

Deno.test("A backup is an SQLite file with the graph's rows, for nobody who has no access", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  const rows = readRows("small-a");
  await upload(server, graph, rows);
  await using own = await Folder.make();
  const folder = own.path;
  const response = await fetch(`${server.url}/status/${graph}/backup`, {
    headers: { cookie: await cookieOf(server) },
  });
  assert.equal(response.status, 200);
  assert.equal(
    response.headers.get("content-disposition"),
    `attachment; filename="${graph}.sqlite"`,
  );
  const bytes = await response.bytes();
  assert.equal(bytes.length, Number(response.headers.get("content-length")));
  await Deno.writeFile(`${folder}/graph.sqlite`, bytes);
  using file = new DatabaseSync(`${folder}/graph.sqlite`, { readOnly: true });
  const kept = file.prepare("SELECT addr, content, addresses FROM kvs ORDER BY addr").all();
  const uploaded = new Map(rows.map((row) => [row[0], row]));
  for (const { addr, content, addresses } of kept) {
    assert.deepEqual([addr, content, addresses], uploaded.get(Number(addr)));
  }
  // What the trees refer to is all that a backup holds: the file is looked through as a whole.
  const owner = parseUserId(ALICE);
  assert.ok(owner !== undefined);
  const deps = { kv: server.kv, now: () => Date.now() };
  const restored = await restoreGraph(deps, `${folder}/graph.sqlite`, { owner, name: "again" });
  assert.equal(restored.rows, kept.length);
  const bob = await fetch(`${server.url}/status/${graph}/backup`, {
    headers: { cookie: await cookieOf(server, "bob") },
  });
  assert.equal(bob.status, 404);
  await bob.body?.cancel();
});

Deno.test("HEAD of a backup tells how large it is", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await upload(server, graph, readRows("small-a"));
  const response = await headOfBackup(server, graph);
  assert.equal(response.status, 200);
  assert.ok(Number(response.headers.get("content-length")) > 0);
  assert.equal(await response.text(), "");
});

Deno.test({
  name: "HEAD of a backup leaves no open file",
  // Elsewhere nothing tells which files are open.
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using server = await startServer();
    const graph = await server.createGraph();
    await upload(server, graph, readRows("small-a"));
    await (await headOfBackup(server, graph)).body?.cancel();
    // Those of tests beside this one are closed soon.
    await within(
      until(() => openFiles().every((path) => !path.includes("sync-backup-"))),
      "the file to be closed",
    );
  },
});

async function headOfBackup(server: TestServer, graph: string): Promise<Response> {
  return await fetch(`${server.url}/status/${graph}/backup`, {
    method: "HEAD",
    headers: { cookie: await cookieOf(server) },
  });
}

/** The paths of what this process has open, as Linux has them. */
function openFiles(): readonly string[] {
  return [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      return [Deno.readLinkSync(`/proc/self/fd/${name}`)];
    } catch {
      // NotFound: it was closed meanwhile, as the one by which the folder was read.
      return [];
    }
  });
}
