/**
 * Which way imports point, as a table that holds: it is read against the module graph, type imports
 * included. An order that nothing checks gets broken.
 */
import assert from "node:assert/strict";
import { z } from "zod";

const ROOT = new URL("../", import.meta.url);

/** A folder, or a file at the root, → what it may import: folders, single files, packages. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: ["zod", "transit-js"],
  datascript: ["transit-js"],
  logseq: ["datascript", "fractional-indexing"],
  kv: [
    "protocol",
    "telemetry",
    "zod",
    "fflate",
    "node:buffer",
    "node:path",
    "node:timers/promises",
    "node:zlib",
  ],
  auth: ["protocol", "kv/graphs.ts", "telemetry", "jose", "zod"],
  assets: ["protocol", "kv", "zod", "aws4fetch", "fast-xml-parser", "range-parser", "node:crypto"],
  limits: ["protocol", "limiter", "lru-cache", "p-limit"],
  sqlite: ["zod", "node:path", "node:sqlite"],
  sync: [
    "protocol",
    "logseq",
    "datascript",
    "kv",
    "sqlite",
    "assets/store.ts",
    "assets/intake.ts",
    "telemetry",
    "lru-cache",
    "zod",
    "node:buffer",
    "node:crypto",
    "node:path",
  ],
  pages: ["protocol/ids.ts", "sync/overview.ts", "hono", "pretty-bytes"],
  routes: [
    "protocol",
    "auth",
    "limits",
    "sync",
    "assets",
    "pages",
    "telemetry",
    "swagger-ui-dist",
    "hono",
    "zod",
    "fresh",
    "node:crypto",
    "node:zlib",
  ],
  telemetry: [
    "@logtape/logtape",
    "@logtape/pretty",
    "@opentelemetry/api",
    "prom-client",
    "node:async_hooks",
  ],
  "config.ts": ["assets/s3_store.ts", "auth", "kv/open.ts", "limits", "telemetry"],
  "life_cycle.ts": ["telemetry"],
  "listen.ts": ["protocol/errors.ts", "sync/patience.ts"],
  "app.ts": ["routes", "telemetry", "hono"],
};

/** Wires everything, or tries everything. */
const MAY_IMPORT_ALL = ["main.ts", "services.ts", "deploy", "tasks", "tests", "bench"];

/** What the engine must not say: it is pure, synchronous, and knows nothing of Logseq. */
const FOREIGN_TO_ENGINE = ["Deno.", "await", "Date.now", "Math.random", ":block/", ":logseq"];

const infoSchema = z.object({
  modules: z.array(z.object({
    specifier: z.string(),
    error: z.string().optional(),
    dependencies: z.array(z.object({
      specifier: z.string(),
      code: z.object({ specifier: z.string().optional() }).optional(),
      type: z.object({ specifier: z.string().optional() }).optional(),
    })).optional(),
  })),
});

interface Edge {
  /** Path from the root. */
  readonly from: string;
  /** Path from the root, or the package as it is written in the import. */
  readonly to: string;
}

async function sources(folder = ""): Promise<string[]> {
  const paths: string[] = [];
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    const path = folder + entry.name;
    const hidden = entry.name.startsWith(".") ||
      ["data", "node_modules", "coverage"].includes(path);
    if (hidden) continue;
    if (entry.isDirectory) paths.push(...await sources(`${path}/`));
    else if (/\.tsx?$/.test(entry.name)) paths.push(path);
  }
  return paths.sort();
}

/** Every import between files of ours and of packages, from one run of `deno info`. */
async function edges(paths: readonly string[]): Promise<readonly Edge[]> {
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const imports = paths.map((path) => `import ${JSON.stringify(new URL(path, ROOT).href)};`);
    await Deno.writeTextFile(entry, imports.join("\n"));
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", new URL("deno.json", ROOT).pathname, entry],
      stdout: "piped",
      stderr: "null",
    }).output();
    const { modules } = infoSchema.parse(JSON.parse(new TextDecoder().decode(stdout)));
    return modules.flatMap((module) => {
      if (!module.specifier.startsWith(ROOT.href)) return [];
      const from = module.specifier.slice(ROOT.href.length);
      assert.equal(module.error, undefined, from);
      return (module.dependencies ?? []).map((dependency) => {
        const target = dependency.code?.specifier ?? dependency.type?.specifier ?? "";
        const ours = target.startsWith(ROOT.href);
        return { from, to: ours ? target.slice(ROOT.href.length) : dependency.specifier };
      });
    });
  } finally {
    await Deno.remove(entry);
  }
}

/** `sync/hub.ts` → `sync`; `app.ts` → `app.ts`. */
function houseOf(path: string): string {
  return path.split("/")[0] ?? path;
}

function mayImport({ from, to }: Edge): boolean {
  const house = houseOf(from);
  if (MAY_IMPORT_ALL.includes(house)) return true;
  return houseOf(to) === house ||
    (MAY_IMPORT[house] ?? []).some((allowed) => to === allowed || to.startsWith(`${allowed}/`));
}

Deno.test("Imports point the way of the table", async () => {
  const paths = await sources();
  const all = await edges(paths);
  assert.deepEqual(
    [...new Set(all.map((edge) => edge.from))].filter((path) => !paths.includes(path)),
    [],
  );
  const wrong = all.filter((edge) => !mayImport(edge)).map((edge) => `${edge.from} → ${edge.to}`);
  assert.deepEqual(wrong, []);
});

Deno.test("Keys are made in kv/ alone", async () => {
  const all = await edges(await sources());
  const outside = all.filter(({ from, to }) =>
    to === "kv/keys.ts" && !["kv", "tests", "bench"].includes(houseOf(from))
  );
  assert.deepEqual(outside, []);
});

Deno.test("Of assets only the store in KV knows KV", async () => {
  const paths = (await sources()).filter((path) => path.startsWith("assets/"));
  const knowing = (await edges(paths))
    .filter(({ from, to }) => from.startsWith("assets/") && to.startsWith("kv/"))
    .map(({ from }) => from);
  assert.deepEqual([...new Set(knowing)], ["assets/kv_store.ts"]);
});

Deno.test("Every folder of the server has its line in the table", async () => {
  const houses = new Set((await sources()).map(houseOf));
  const known = [...Object.keys(MAY_IMPORT), ...MAY_IMPORT_ALL];
  assert.deepEqual([...houses].filter((house) => !known.includes(house)), []);
});

Deno.test("The engine is pure: no Deno, no promises, no clock, no chance, no words of Logseq's", async () => {
  const found: string[] = [];
  for (const path of (await sources()).filter((path) => path.startsWith("datascript/"))) {
    const text = await Deno.readTextFile(new URL(path, ROOT));
    text.split("\n").forEach((line, i) => {
      for (const word of FOREIGN_TO_ENGINE) {
        if (line.includes(word)) found.push(`${path}:${i + 1} ${word}`);
      }
    });
  }
  assert.deepEqual(found, []);
});

Deno.test("Only config.ts reads the environment", async () => {
  const readers: string[] = [];
  for (const path of await sources()) {
    if (houseOf(path) === "tests") continue;
    const text = await Deno.readTextFile(new URL(path, ROOT));
    if (text.includes("Deno.env")) readers.push(path);
  }
  assert.deepEqual(readers, ["config.ts"]);
});
