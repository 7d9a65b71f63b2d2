/** The server as a process of its own, as its task runs it, over a file in a folder of its own. */
import { Served } from "../tests/support/served.ts";
import { TASK_FLAGS } from "./result.ts";

export interface BenchServer extends AsyncDisposable {
  readonly served: Served;
  /** The file of the database. */
  readonly kvPath: string;
}

/** Of a user: one is all clients of a bench. */
export const NO_LIMITS = {
  REQUESTS_PER_SECOND: "1000000",
  FRAMES_PER_SECOND: "1000000",
  SOCKETS_PER_USER: "1000000",
} as const;

export async function openServer(): Promise<BenchServer> {
  const folder = await Deno.makeTempDir();
  const kvPath = `${folder}/kv.sqlite3`;
  const served = await startServer(kvPath);
  return {
    served,
    kvPath,
    [Symbol.asyncDispose]: async () => {
      await served[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** The same over a file that is there. */
export async function startServer(kvPath: string): Promise<Served> {
  return await Served.start({ KV_PATH: kvPath, ...NO_LIMITS }, TASK_FLAGS);
}

/** The most memory that a process had, in bytes; `undefined` where the system doesn't say. */
export async function peakBytes(pid: number): Promise<number | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(status.match(/VmHWM:\s+(\d+) kB/)?.[1]) * 1024;
}
