/** Peak memory of the server's process (Linux) while a large graph goes up and down. */
import { signToken } from "../auth/sign.ts";
import { createGraphAnswerSchema, rowsAnswerSchema } from "../protocol/http.ts";
import { runProgram } from "../tests/support/program.ts";
import { readLargeRows } from "./large.ts";
import { type Result, rounded } from "./result.ts";

const AUTH_SECRET = "0123456789abcdef0123456789abcdef";
const PAGE = 2000;
const LARGE_PAGE_CHARACTERS = 50e6;
/** What a small instance on Deploy has. */
const FLOOR_MB = 512;

export async function memory(): Promise<readonly Result[]> {
  const lines = await readLargeRows();
  if (lines === undefined || Deno.build.os !== "linux") return [];
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
    await using program = runProgram("main.ts", [], {
      AUTH_SECRET,
      HOST: "127.0.0.1",
      PORT: "0",
      LOG_FORMAT: "json",
      KV_PATH: `${folder}/kv.sqlite3`,
    });
    const [, url] = await program.printed(/"url":"(http:[^"]+)"/);
    const authorization = `Bearer ${await signToken(AUTH_SECRET, "bench", Date.now(), 3600)}`;
    const send = async (path: string, body?: string): Promise<string> => {
      const method = body === undefined ? "GET" : "POST";
      const init = { method, headers: { authorization }, ...body !== undefined && { body } };
      const response = await fetch(`${url}${path}`, init);
      if (!response.ok) throw new Error(`Cannot go on as ${path} answered ${response.status}`);
      return await response.text();
    };
    const created: unknown = JSON.parse(await send("/graphs", '{"graph_name":"bench"}'));
    const graph = createGraphAnswerSchema.parse(created).graph_id;
    await work((path, body) => send(`/sync/${graph}${path}`, body));
    const status = await Deno.readTextFile(`/proc/${program.pid}/status`);
    const peak = Number(status.match(/VmHWM:\s+(\d+) kB/)?.[1]) / 1000;
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
