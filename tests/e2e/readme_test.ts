/**
 * The README and docs/ say the truth: their `sh` blocks are pasted into terminals, in a copy of the
 * repository as it is checked out, and print what the pages show.
 *
 * A fence's words: `sh 2` runs in terminal 2, to its end; `sh 1 stays` goes on running there; `json 3`
 * is typed there; `text 2` was printed there, where `…` stands for anything on a line. `sh no-test:
 * why` is shown as an ignored test, with its reason.
 */
import assert from "node:assert/strict";
import { z } from "zod";
import { within } from "../support/deadline.ts";
import { type Block, blocksOf } from "../support/markdown.ts";
import { Terminal } from "../support/terminal.ts";
import { Folder } from "../support/folder.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
/** What no checkout has. */
const NOT_OURS = /^(\.git|\.claude|data|node_modules|coverage|bench\/results)$/;
/** The address that the pages show; the tests' servers are at another port. */
const SHOWN = "http://127.0.0.1:8787";
const NO_TEST = /^sh no-test: (.+)$/;

const pages = ["README.md", ...namesIn("docs").map((name) => `docs/${name}`)]
  .filter((path) => path.endsWith(".md"));
const blocks = pages.flatMap((path) => blocksOf(path, Deno.readTextFileSync(ROOT + path)));

function namesIn(folder: string): readonly string[] {
  return [...Deno.readDirSync(ROOT + folder)].map(({ name }) => name).sort();
}

for (const { info, text, at } of blocks) {
  const reason = info.match(NO_TEST)?.[1];
  if (reason === undefined) continue;
  const [command] = text.split("\n");
  Deno.test({ name: `${at} \`${command}\` is not run: ${reason}`, ignore: true, fn: () => {} });
}

Deno.test("Every command of the README and of docs/ is run, or says why not", () => {
  const commands = blocks.filter(({ info }) => /^(sh|bash|shell|console)\b/.test(info));
  const strays = commands.filter(({ info }) =>
    !/^sh \d+( stays)?$/.test(info) && !NO_TEST.test(info)
  );
  assert.deepEqual(strays.map(({ at, info }) => `${at}: ${info}`), []);
});

Deno.test("Every task says what it is for, and the README lists it; there are no others", async () => {
  const { tasks } = z.object({ tasks: z.record(z.string(), z.object({ description: z.string() })) })
    .parse(JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`)));
  const readme = await Deno.readTextFile(`${ROOT}README.md`);
  const [, table = ""] = readme.match(/^### Tasks\n\n((?:\|.*\n)+)/m) ?? [];
  const listed = table.split("\n").slice(2).flatMap((row) => {
    const [, cell = ""] = row.split("|");
    return [...cell.matchAll(/`([\w-]+)/g)].map((match) => match[1]);
  });
  assert.deepEqual(listed.sort(), Object.keys(tasks).sort());
  for (const path of pages) {
    const named = (await Deno.readTextFile(ROOT + path)).matchAll(/\bdeno(?:@\S+)? task ([\w-]+)/g);
    for (const [said, task = ""] of named) assert.ok(task in tasks, `${path}: ${said}`);
  }
});

/** What the pages take for granted, and a machine may be without. */
const missing = ["bash", "curl", "gunzip", "paste", "sed"].filter((program) =>
  !(Deno.env.get("PATH") ?? "").split(":").some((folder) => isFile(`${folder}/${program}`))
);

Deno.test({
  name: "The commands of the README and of docs/ do what the pages show" +
    (missing.length === 0 ? "" : ` (not run without ${missing.join(", ")})`),
  ignore: missing.length > 0,
  fn: runAll,
});

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    // NotFound or NotADirectory: another folder may have it.
    return false;
  }
}

async function runAll(): Promise<void> {
  await using own = await Folder.make();
  const folder = own.path;
  await copy(ROOT, `${folder}/checkout`);
  await Deno.mkdir(`${folder}/bin`);
  // Has to be this version and no other; what npx does for it needs the network.
  await Deno.writeTextFile(
    `${folder}/bin/npx`,
    `#!/bin/sh
[ "$1 $2" = "--yes deno@${Deno.version.deno}" ] || { echo "unexpected: npx $*" >&2; exit 1; }
shift 2
exec ${Deno.execPath()} "$@"
`,
    { mode: 0o755 },
  );
  await using terminals = new Terminals(folder);
  for (const block of blocks) await terminals.follow(block);
  assert.equal(terminals.replaced, 1);
}

async function copy(from: string, to: string, below = ""): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    const path = below + name;
    if (NOT_OURS.test(path)) continue;
    if (isDirectory) await copy(`${from}/${name}`, `${to}/${name}`, `${path}/`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

/** The terminals of someone who reads the pages from top to bottom. */
class Terminals implements AsyncDisposable {
  readonly #folder: string;
  readonly #terminals = new AsyncDisposableStack();
  readonly #open = new Map<string, Terminal>();
  /** What the block before has printed, where it has ended. */
  #printed: string | undefined;
  /** How often a port stood in for the one that is shown. */
  replaced = 0;
  readonly #port = freePort();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async follow({ info, text, at }: Block): Promise<void> {
    const [, kind, number, stays] = info.match(/^(sh|json|text) (\d+)( stays)?$/) ?? [];
    if (kind === undefined || number === undefined) return;
    try {
      const terminal = this.#terminal(number);
      if (kind === "sh") await this.#run(number, text, stays !== undefined);
      else if (kind === "json") await terminal.paste(text);
      else if (this.#printed !== undefined) {
        assert.match(this.#printed, pattern(`^${source(text)}\n?$`));
      } else await terminal.printed(pattern(source(text)));
      if (kind !== "sh") this.#printed = undefined;
    } catch (cause) {
      throw new Error(`${at} is not so`, { cause });
    }
  }

  async #run(number: string, text: string, stays: boolean): Promise<void> {
    const terminal = this.#terminal(number);
    const commands = text.replaceAll(SHOWN, () => {
      this.replaced++;
      return `http://127.0.0.1:${this.#port}`;
    });
    this.#printed = stays ? undefined : await terminal.run(commands);
    if (!stays) return;
    await terminal.paste(commands);
    if (!/task (dev|start)/.test(commands)) return;
    const [, port] = await terminal.printed(/http:\/\/[\d.]+:(\d+)/);
    const response = await within(fetch(`http://127.0.0.1:${port}/health`), "health");
    assert.deepEqual(await response.json(), { ok: true });
  }

  /** The first three are one story; each further one has a server of its own. */
  #terminal(number: string): Terminal {
    const open = this.#open.get(number);
    if (open !== undefined) return open;
    const kept = Object.entries(Deno.env.toObject()).filter(([name]) =>
      /^(HOME|DENO_DIR|XDG_CACHE_HOME)$/.test(name)
    );
    const terminal = new Terminal(`${this.#folder}/checkout`, {
      ...Object.fromEntries(kept),
      PATH: `${this.#folder}/bin:${Deno.env.get("PATH")}`,
      NO_COLOR: "1",
      ...Number(number) <= 3
        ? { PORT: String(this.#port) }
        : { PORT: "0", KV_PATH: `${this.#folder}/${number}/kv.sqlite3` },
    });
    this.#open.set(number, this.#terminals.use(terminal));
    return terminal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#terminals[Symbol.asyncDispose]();
  }
}

function freePort(): number {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  return listener.addr.port;
}

/** What a page shows, as a regular expression's source; not everything ends its last line. */
function source(shown: string): string {
  return shown.trimEnd().replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("…", ".*");
}

function pattern(regexp: string): RegExp {
  return new RegExp(regexp);
}
