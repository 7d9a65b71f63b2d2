/** The server as a process of its own, over a file in a folder of its own. */
import { signToken } from "../auth/sign.ts";
import { createGraphAnswerSchema } from "../protocol/http.ts";
import type { GraphId } from "../protocol/ids.ts";
import { runProgram } from "../tests/support/program.ts";
import { TASK_FLAGS } from "./result.ts";

const AUTH_SECRET = "0123456789abcdef0123456789abcdef";
const HOUR_SECONDS = 3600;

export interface BenchServer extends AsyncDisposable {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  readonly token: string;
  /** The file of the database. */
  readonly kvPath: string;
  createGraph(): Promise<GraphId>;
  /** The text of a good answer: GET, or POST if there is a body. */
  call(path: string, body?: string): Promise<string>;
  /** The most memory that the process had (Linux), in MB. */
  peakMb(): Promise<number>;
}

export async function openServer(): Promise<BenchServer> {
  const folder = await Deno.makeTempDir();
  const kvPath = `${folder}/kv.sqlite3`;
  const program = runProgram("main.ts", [], {
    AUTH_SECRET,
    HOST: "127.0.0.1",
    PORT: "0",
    LOG_FORMAT: "json",
    KV_PATH: kvPath,
    REQUESTS_PER_SECOND: "1000000",
    FRAMES_PER_SECOND: "1000000",
  }, TASK_FLAGS);
  const [, url = ""] = await program.printed(/"url":"(http:[^"]+)"/);
  const token = await signToken(AUTH_SECRET, "bench", Date.now(), HOUR_SECONDS);

  async function call(path: string, body?: string): Promise<string> {
    const response = await fetch(`${url}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${token}` },
      ...body !== undefined && { body },
    });
    if (!response.ok) throw new Error(`Cannot go on as ${path} answered ${response.status}`);
    return await response.text();
  }

  return {
    url,
    token,
    kvPath,
    call,
    createGraph: async () => {
      const created: unknown = JSON.parse(await call("/graphs", '{"graph_name":"bench"}'));
      return createGraphAnswerSchema.parse(created).graph_id;
    },
    peakMb: async () => {
      const status = await Deno.readTextFile(`/proc/${program.pid}/status`);
      return Number(status.match(/VmHWM:\s+(\d+) kB/)?.[1]) / 1000;
    },
    [Symbol.asyncDispose]: async () => {
      await program[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
