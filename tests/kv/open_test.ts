import assert from "node:assert/strict";
import { FORMAT, readFormat, stampFormat } from "../../kv/format.ts";
import { formatKey } from "../../kv/keys.ts";
import { mustTakeCommits, openKv, OpenKvError } from "../../kv/open.ts";
import { PROGRAM_DEADLINE_MS, within } from "../support/deadline.ts";
import { withMethods } from "../support/kv.ts";
import { ACCESS_TOKEN, startConnectServer } from "../support/kv_connect/server.ts";
import { runProgram } from "../support/program.ts";
import { Served } from "../support/served.ts";
import { AUTH_SECRET } from "../support/secret.ts";
import { Folder } from "../support/folder.ts";

const TOKEN = "DENO_KV_ACCESS_TOKEN";

async function problemOf(path: string): Promise<string> {
  try {
    (await openKv(path)).close();
  } catch (error) {
    assert.ok(error instanceof OpenKvError);
    return error.message;
  }
  throw new Error(`${path} was opened`);
}

Deno.test("A file is made with its folder, and memory has none", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  const path = `${folder}/a/b/kv.sqlite3`;
  {
    using kv = await openKv(path);
    await kv.set(["a"], 1);
  }
  using again = await openKv(path);
  assert.equal((await again.get(["a"])).value, 1);
  using memory = await openKv(":memory:");
  assert.equal((await memory.get(["a"])).value, null);
});

Deno.test({
  name: "A folder that is made is for this user alone, and one that is there stays as it is",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using own = await Folder.make();
    const folder = own.path;
    await Deno.chmod(folder, 0o755);
    (await openKv(`${folder}/a/b/kv.sqlite3`)).close();
    const modes = [folder, `${folder}/a`, `${folder}/a/b`].map((path) =>
      (Deno.statSync(path).mode ?? 0) & 0o777
    );
    assert.deepEqual(modes, [0o755, 0o700, 0o700]);
  },
});

Deno.test("What has to be changed is said where there can't be such a file", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  const text = `${folder}/text`;
  await Deno.writeTextFile(text, "This is no database. ".repeat(100));
  assert.equal(
    await problemOf(folder),
    `KV_PATH is ${folder}, but that is a folder: ` +
      "set it to the path of a file, which may be in there",
  );
  assert.match(await problemOf(text), /but that file is no database: set it to the path of one/);
  const below = await problemOf(`${text}/kv.sqlite3`);
  assert.match(below, /^KV_PATH is \S+, but there can't be a database: set it to .*mkdir/);
  assert.equal(await Deno.readTextFile(text), "This is no database. ".repeat(100));
});

Deno.test("Whoever opens a server's address shares its database", async () => {
  await using server = startConnectServer();
  Deno.env.set(TOKEN, ACCESS_TOKEN);
  using a = await openKv(server.url);
  using b = await openKv(server.url);
  await a.set(["a"], 1);
  assert.equal((await b.get(["a"])).value, 1);
});

Deno.test("What has to be changed is said when a server can't be opened", async () => {
  await using server = startConnectServer("another one");
  Deno.env.set(TOKEN, ACCESS_TOKEN);
  const refused = await problemOf(server.url);
  assert.match(refused, /the server there refuses DENO_KV_ACCESS_TOKEN: set it to/);
  assert.ok(!refused.includes(ACCESS_TOKEN));
  assert.match(await problemOf("http://127.0.0.1:1"), /no server answers there: start it, or/);
  assert.match(await problemOf(`${server.url}/elsewhere`), /no KV Connect server is there/);
});

/** SQLite opens a file that says so only to read it (its format's byte 18), whoever the user is. */
async function makeReadOnly(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(18, Deno.SeekMode.Start);
  await file.write(new Uint8Array([3]));
}

Deno.test("A file that can only be read ends the program at its start, and no task that only reads", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  const KV_PATH = `${folder}/kv.sqlite3`;
  (await openKv(KV_PATH)).close();
  await makeReadOnly(KV_PATH);
  const variables = { AUTH_SECRET, KV_PATH, PORT: "0" };
  await using server = runProgram("main.ts", [], variables);
  const { code, stderr } = await within(server.ended, "the program to end", PROGRAM_DEADLINE_MS);
  assert.deepEqual([code, stderr.split("\n").length], [1, 3]);
  assert.ok(
    stderr.startsWith(`Cannot start:\nKV_PATH is ${KV_PATH}, but that file is read-only`),
  );
  await using task = runProgram("tasks/graphs.ts", [], variables);
  assert.equal((await task.ended).stdout, "There is no graph\n");
});

Deno.test("A database that a newer version has written to ends program and tasks at their start", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  const KV_PATH = `${folder}/kv.sqlite3`;
  {
    using kv = await openKv(KV_PATH);
    await stampFormat(kv);
    await stampFormat(kv);
    assert.equal(await readFormat(kv), FORMAT);
    await kv.set(formatKey(), { format: FORMAT + 1 });
    await stampFormat(kv);
    assert.equal(await readFormat(kv), FORMAT + 1, "a newer one stays");
  }
  const variables = { AUTH_SECRET, KV_PATH, PORT: "0" };
  for (const [file, code] of [["main.ts", 1], ["tasks/graphs.ts", 2]] as const) {
    await using program = runProgram(file, [], variables);
    const ended = await within(program.ended, "the program to end", PROGRAM_DEADLINE_MS);
    assert.equal(ended.code, code);
    assert.ok(
      ended.stderr.includes(`a newer version of this server has written there (format 2;`),
      ended.stderr,
    );
  }
});

Deno.test("The program stamps its database", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  const KV_PATH = `${folder}/kv.sqlite3`;
  {
    await using served = await Served.start({ KV_PATH });
    assert.ok(served.url.startsWith("http:"));
  }
  using kv = await openKv(KV_PATH);
  assert.equal(await readFormat(kv), FORMAT);
});

Deno.test("A database that is locked or full at the start is no reason not to serve", async () => {
  using kv = await openKv(":memory:");
  for (const message of ["database is locked", "database or disk is full"]) {
    const failing = withMethods(kv, { delete: () => Promise.reject(new TypeError(message)) });
    await mustTakeCommits(failing, "kv.sqlite3");
  }
});

Deno.test("The program that can't open its database ends with status 1 and says so on one line", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  await using server = startConnectServer();
  const token = { [TOKEN]: ACCESS_TOKEN };
  const problems = [
    ["http://127.0.0.1:1", token, "no server answers"],
    [folder, token, "that is a folder"],
    [server.url, {}, "DENO_KV_ACCESS_TOKEN is not set: set it to that server's access token"],
  ] as const;
  for (const [KV_PATH, token, problem] of problems) {
    await using program = runProgram("main.ts", [], { AUTH_SECRET, KV_PATH, PORT: "0", ...token });
    const { code, stderr } = await program.ended;
    assert.equal(code, 1);
    assert.match(stderr, /^Cannot start:\n.*\n$/);
    assert.ok(stderr.includes(`KV_PATH is ${KV_PATH}, but ${problem}`), stderr);
  }
});
