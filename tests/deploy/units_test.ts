/** The units of systemd: their commands are run as they are written, without systemd around them. */
import assert from "node:assert/strict";
import { TASK_FLAGS } from "../../bench/result.ts";
import { within } from "../support/deadline.ts";
import { AUTH_SECRET } from "../support/secret.ts";
import { Terminal } from "../support/terminal.ts";
import { Folder } from "../support/folder.ts";

const FOLDER = new URL("../../deploy/", import.meta.url);
const UNITS = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
  .filter((name) => /\.(service|timer)$/.test(name));
/** Where the units have Deno. */
const DENO = "/usr/local/bin/deno";

/** A unit's text, with this Deno. */
function unit(name: string): string {
  return Deno.readTextFileSync(new URL(name, FOLDER)).replaceAll(DENO, Deno.execPath());
}

/** What a unit says under a name, in order, with systemd's folders below this one. */
function saidBy(text: string, name: string, folder: string): readonly string[] {
  return text.split("\n")
    .filter((line) => line.startsWith(`${name}=`))
    .map((line) => line.slice(name.length + 1).replaceAll("%S", folder).replaceAll("%C", folder));
}

Deno.test("The units' commands start a server, and back up what it keeps", async () => {
  await using own = await Folder.make();
  const folder = own.path;
  const service = unit("logseq-sync.service");
  const kept = saidBy(service, "Environment", folder).flatMap((line) => line.split(" "))
    .map((pair) => pair.split("="))
    // A cache of its own would have to be filled from the network first.
    .filter(([name]) => name !== "DENO_DIR");
  const home = Object.entries(Deno.env.toObject()).filter(([name]) =>
    /^(PATH|HOME|DENO_DIR|XDG_CACHE_HOME)$/.test(name)
  );
  const variables = { ...Object.fromEntries([...home, ...kept]), AUTH_SECRET, PORT: "0" };
  const checkout = new URL("../", FOLDER).pathname;

  await using server = new Terminal(checkout, variables);
  for (const command of saidBy(service, "ExecStartPre", folder)) await server.run(`${command}\n`);
  const [start, ...more] = saidBy(service, "ExecStart", folder);
  assert.deepEqual(more, []);
  await server.paste(`${start}\n`);
  const [, url] = await server.printed(/"url":"(http:[^"]+)"/);
  const response = await within(fetch(`${url}/ready`), "a server that is ready");
  assert.deepEqual(await response.json(), { ok: true });

  await using night = new Terminal(checkout, variables);
  const backup = unit("logseq-sync-backup.service");
  for (const command of saidBy(backup, "ExecStart", folder)) await night.run(`${command}\n`);
  const made = await Array.fromAsync(Deno.readDir(`${folder}/logseq-sync`), ({ name }) => name);
  assert.ok(made.includes("kv.sqlite3") && made.includes("backups"), String(made));
});

const hasSystemd = await new Deno.Command("systemd-analyze", {
  args: ["--version"],
  stdout: "null",
})
  .output().then(() => true, () => false);

Deno.test({
  name: "systemd finds nothing wrong with the units" + (hasSystemd ? "" : " (there is no systemd)"),
  ignore: !hasSystemd,
  fn: async (): Promise<void> => {
    await using own = await Folder.make();
    const folder = own.path;
    for (const name of UNITS) await Deno.writeTextFile(`${folder}/${name}`, unit(name));
    const { code, stderr } = await new Deno.Command("systemd-analyze", {
      args: ["verify", ...UNITS.map((name) => `${folder}/${name}`)],
    }).output();
    assert.equal(new TextDecoder().decode(stderr), "");
    assert.equal(code, 0);
  },
});

Deno.test("The tasks, the unit, the container and the benches give V8 the same flags", async () => {
  const root = new URL("../", FOLDER);
  const flags = async (file: string, entry: RegExp): Promise<readonly string[]> => {
    const text = await Deno.readTextFile(new URL(file, root));
    const lines = text.split("\n").filter((line) => entry.test(line));
    return lines.map((line) => line.match(/--v8-flags=[\w=,-]+/)?.[0] ?? "none");
  };
  const given = [
    ...await flags("deno.json", /deno run .* (main|tasks\/dev)\.ts"/),
    ...await flags("deploy/logseq-sync.service", /^ExecStart=/),
    ...await flags("Containerfile", /^CMD/),
    ...TASK_FLAGS,
  ];
  assert.equal(given.length, 5);
  assert.deepEqual(new Set(given).size, 1, given.join("\n"));
});
