import assert from "node:assert/strict";
import { z } from "zod";
import { backup, type Backups } from "../../tasks/backup.ts";
import { graphsListing } from "../../tasks/graphs.ts";
import { lines } from "../../tasks/progress.ts";
import { restore } from "../../tasks/restore.ts";
import { verify } from "../../tasks/verify.ts";
import { headKey } from "../../kv/keys.ts";
import { readMeta } from "../../kv/graphs.ts";
import { readRows } from "../support/fixtures.ts";
import { Process } from "../support/process.ts";
import { type Ended, runProgram } from "../support/program.ts";
import { Folder } from "../support/folder.ts";

const listedSchema = z.array(z.strictObject({
  graph: z.string(),
  name: z.string(),
  owner: z.string(),
  ready: z.boolean(),
  t: z.number(),
  rows: z.number(),
  bytes: z.number(),
  updatedAt: z.iso.datetime(),
}));

Deno.test("The tasks of an owner work on the database of KV_PATH, beside a process that has it open", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  const KV_PATH = `${folder}/kv.sqlite3`;
  const file = `${folder}/notes.sqlite`;
  using kv = await Deno.openKv(KV_PATH);
  const server = new Process(kv);
  const graph = await server.graphWith(readRows("small-a"));

  const run = async (
    task: string,
    ...args: string[]
  ): Promise<Ended> => {
    // Settings that are none of the store's may be wrong, or missing.
    const variables = { KV_PATH, METRICS: "too short" };
    await using program = runProgram(`tasks/${task}.ts`, args, variables);
    return await program.ended;
  };
  const saved = await run("backup", graph, file);
  assert.equal(saved.code, 0, saved.stderr);
  assert.match(saved.stdout, /^\S+notes\.sqlite has graph \S+ as of t 0: 671 rows\n$/);
  assert.match(saved.stderr, /671 of 671 rows/);

  const refused = await run("backup", graph, file);
  assert.deepEqual([refused.code, refused.stdout], [2, ""]);
  assert.match(refused.stderr, /^Cannot write \S+ as it is there already/);
  assert.ok(!refused.stderr.includes("    at "));

  const made = await run("restore", file, "--owner", "bob");
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /^[0-9a-f-]{36}\n$/);

  const listed = listedSchema.parse(JSON.parse((await run("graphs", "--json")).stdout));
  assert.deepEqual(
    listed.map(({ graph, name, owner, rows }) => [graph, name, owner, rows]),
    [[made.stdout.trim(), "notes", "bob", 671], [graph, "notes", "alice", 699]],
  );

  const stats = await run("graph_stats", graph);
  assert.match(stats.stdout, /^rows +699 \(/m, stats.stderr);

  const sound = await run("verify", "--all");
  assert.equal(sound.code, 0);
  assert.equal(sound.stdout.match(/: sound at t 0: \d+ datoms in 669 rows/g)?.length, 2);
  await kv.delete(headKey(graph));
  const broken = await run("verify", graph);
  assert.deepEqual([broken.code, broken.stdout], [1, `${graph}: the head is missing\n`]);

  const files = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  assert.ok(!files.includes("dev-secret"), String(files));
});

Deno.test("A KV_PATH that is none is said by the tasks as by the server", async () => {
  await using program = runProgram("tasks/graphs.ts", [], { KV_PATH: "http://" });
  const { code, stderr } = await program.ended;
  assert.equal(code, 2);
  assert.match(stderr, /^KV_PATH must be a path, .*: got "http:\/\/"\nUsage: /);
});

Deno.test("A task makes no database where KV_PATH is a wrong one, but for a restore", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  const file = `${folder}/notes.sqlite`;
  {
    using kv = await Deno.openKv(":memory:");
    await backup(kv, [await new Process(kv).graphWith(readRows("small-a")), file]);
  }
  const run = async (task: string, KV_PATH: string, ...args: string[]): Promise<Ended> => {
    await using program = runProgram(`tasks/${task}.ts`, args, { KV_PATH });
    return await program.ended;
  };
  const path = `${folder}/a/kv.sqlite3`;
  for (const [task, ...args] of [["verify", "--all"], ["backup", "--all", `${folder}/kept`]]) {
    assert.deepEqual(await run(task ?? "", path, ...args), {
      code: 2,
      stdout: "",
      stderr: `KV_PATH is ${path}, but no file is there: set it as the server has it\n`,
    });
  }
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  assert.deepEqual(names, ["notes.sqlite"]);
  const below = await run("graphs", `${file}/kv.sqlite3`);
  assert.equal(below.code, 2);
  assert.match(below.stderr, /^KV_PATH is \S+, but there can't be a database: .*\n$/);

  assert.equal((await run("restore", path, file, "--owner", "bob")).code, 0);
  assert.match((await run("verify", path, "--all")).stdout, /: sound at t 0/);
});

Deno.test("A graph that is damaged is no row of the list, but a line beside it, and status 1", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  const KV_PATH = `${folder}/kv.sqlite3`;
  using kv = await Deno.openKv(KV_PATH);
  const server = new Process(kv);
  const [sound, damaged] = [await server.createGraph(), await server.createGraph()];
  await kv.set(headKey(damaged), "no head");
  await using program = runProgram("tasks/graphs.ts", ["--json"], { KV_PATH });
  const { code, stdout, stderr } = await program.ended;
  assert.equal(code, 1);
  assert.deepEqual(listedSchema.parse(JSON.parse(stdout)).map(({ graph }) => graph), [sound]);
  assert.match(stderr, new RegExp(`^Cannot list ${damaged}: Cannot read the value of .*\n$`));
});

Deno.test("backup --all writes each graph that has anything, also in place of older files", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(readRows("small-a"));
  await server.createGraph();
  const path = `${folder}/kept/${graph}.sqlite`;
  const done = (t: number): Backups => ({
    lines: [`${path} has graph ${graph} as of t ${t}: 671 rows`],
    failed: 0,
  });
  assert.deepEqual(await backup(kv, ["--all", `${folder}/kept`]), done(0));
  await server.write(graph, 0, '["~#list",[["~:db/add",-1,"~:block/title","a"]]]');
  assert.deepEqual(await backup(kv, ["--all", `${folder}/kept`]), done(1));
  const files = await Array.fromAsync(Deno.readDir(`${folder}/kept`), ({ name }) => name);
  assert.deepEqual(files, [`${graph}.sqlite`]);
  await assert.rejects(backup(kv, ["--all"]), /there must be one folder/);

  const broken = await server.graphWith(readRows("small-a").slice(0, 300));
  const all = await backup(kv, ["--all", `${folder}/kept`]);
  assert.equal(all.failed, 1);
  assert.deepEqual(
    all.lines.toSorted().map((text) => text.replace(/: .*$/, "")),
    [`${path} has graph ${graph} as of t 1`, `Cannot back up ${broken}`].toSorted(),
  );

  await kv.delete(headKey(broken));
  const { failed, lines } = await backup(kv, ["--all", `${folder}/kept`]);
  assert.equal(failed, 1);
  assert.ok(lines.includes(`Cannot back up ${broken}: its head is missing`), String(lines));
});

Deno.test("Arguments that are wrong are said, with what to write instead", async () => {
  using kv = await Deno.openKv(":memory:");
  const none = crypto.randomUUID();
  const now = (): number => 1000;
  const print = (): void => {};
  await assert.rejects(backup(kv, []), /GRAPH must be a graph's id/);
  await assert.rejects(backup(kv, [none]), /there must be one file/);
  await assert.rejects(backup(kv, [none, "x", "y"]), /there must be one file/);
  await assert.rejects(backup(kv, [none, "x"]), /There is no graph .*deno task graphs/);
  await assert.rejects(backup(kv, [none, "x", "--fast"]), /Unknown option '--fast'/);
  await assert.rejects(restore(kv, [], now), /must be one file/);
  await assert.rejects(restore(kv, ["x"], now), /--owner must name the user/);
  await assert.rejects(
    restore(kv, ["x", "--owner", "a", "--name", "x".repeat(2000)], now),
    /--name must have/,
  );
  await assert.rejects(verify(kv, [], print), /GRAPH must be a graph's id/);
  await assert.rejects(verify(kv, [none, none], print), /One graph, or --all/);
  await assert.rejects(verify(kv, [none], print), /There is no graph/);
});

Deno.test("A name's control characters don't reach a terminal", async () => {
  using kv = await Deno.openKv(":memory:");
  assert.deepEqual(await graphsListing(kv, []), { text: "There is no graph", damaged: [] });
  await using own = await Folder.make();
  const folder = own.path;
  const path = `${folder}/b`;
  const graph = await new Process(kv).graphWith(readRows("small-a"));
  await backup(kv, [graph, path]);
  const args = [path, "--owner", "bob", "--name", "\u001b[2Jno\ntes", "--schema-version", "65"];
  const restored = await restore(kv, args, () => 1000);
  assert.equal((await readMeta(kv, restored.graph))?.schemaVersion, "65");
  const { text } = await graphsListing(kv, []);
  assert.match(text, /│ no tes +│ bob +│ yes +│ +0 │ +671 │/);
  assert.ok(!text.includes("\u001b"));
});

Deno.test("A row's control characters don't reach a terminal by what verify says of it", async () => {
  using kv = await Deno.openKv(":memory:");
  const content = JSON.stringify(["~z\u001b[2Jno\u0090number"]);
  const graph = await new Process(kv).graphWith([[0, content, null]]);
  const printed: string[] = [];
  assert.equal(await verify(kv, [graph], (line) => printed.push(line)), false);
  const [line = ""] = printed;
  assert.match(line, /: row 0 can't be read: .*no number/);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f]/);
});

Deno.test("Progress without a terminal is a line for each tenth", () => {
  const printed: string[] = [];
  const { progress } = lines("rows", (line) => printed.push(line));
  for (let done = 0; done <= 1000; done++) progress(done, 1000);
  assert.equal(printed.length, 10);
  assert.deepEqual([printed[0], printed.at(-1)], ["100 of 1000 rows", "1000 of 1000 rows"]);
});
