/** Peak memory of the server's process (Linux) while a large graph goes up and down. */
import { rowsAnswerSchema } from "../protocol/http.ts";
import type { GraphId } from "../protocol/ids.ts";
import { Served } from "../tests/support/served.ts";
import { hotGraph } from "./hot_graph.ts";
import { readLargeBlocks, readLargeRows } from "./large.ts";
import { peakBytes } from "./program.ts";
import { type Result, rounded, TASK_FLAGS } from "./result.ts";

const PAGE = 2000;
const LARGE_PAGE_CHARACTERS = 50e6;
/** What a small instance on Deploy has. */
const FLOOR_MB = 512;

export async function memory(): Promise<readonly Result[]> {
  const [lines, blocks] = [await readLargeRows(), await readLargeBlocks()];
  if (lines === undefined || blocks === undefined || Deno.build.os !== "linux") return [];
  let characters = 0;
  const largePage = lines.filter((line) => (characters += line.length) < LARGE_PAGE_CHARACTERS);
  return [
    await measured(
      "import and download of a million datoms, pages of 2000",
      lines,
      async (call) => {
        await upload(call, lines, PAGE);
        await download(call);
      },
    ),
    await measured("one page of 50 MB, twice", largePage, async (call) => {
      await upload(call, largePage, largePage.length);
      await upload(call, largePage, largePage.length);
    }),
    await hotGraph((served, graph) => upload(callOf(served, graph), lines, PAGE), blocks),
  ];
}

type Call = (path: string, body?: string) => Promise<string>;

async function measured(
  what: string,
  lines: readonly string[],
  work: (call: Call) => Promise<void>,
): Promise<Result> {
  const folder = await Deno.makeTempDir();
  try {
    await using served = await Served.start({ KV_PATH: `${folder}/kv.sqlite3` }, TASK_FLAGS);
    const graph = await served.createGraph();
    await work(callOf(served, graph));
    const peak = (await peakBytes(served.program.pid) ?? NaN) / 1e6;
    return {
      what: `peak memory: ${what}`,
      work: `${lines.length} rows`,
      ours: `${Math.round(peak)} MB`,
      floor: `${FLOOR_MB} MB`,
      ratio: rounded(peak / FLOOR_MB),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function callOf(served: Served, graph: GraphId): Call {
  return (path, body) => served.text(`/sync/${graph}${path}`, body);
}

async function upload(call: Call, lines: readonly string[], page: number): Promise<void> {
  for (let start = 0; start < lines.length; start += page) {
    const rows = lines.slice(start, start + page).join(",");
    await call("/snapshot/import", `{"reset":${start === 0},"rows":[${rows}]}`);
  }
}

async function download(call: Call): Promise<void> {
  for (let after = -1, done = false; !done;) {
    await call("/pull");
    const text = await call(`/snapshot/rows?after=${after}&limit=${PAGE}`);
    const page = rowsAnswerSchema.parse(JSON.parse(text));
    [after, done] = [page.last_addr, page.done];
  }
}
