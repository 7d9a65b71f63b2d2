/**
 * The floor that batches stand on, as a process of its own: a bare WebSocket that answers each
 * message after a bare atomic commit of one check and three sets. `deno run -A bench/floor.ts PLAN`;
 * prints its address.
 */
// deno-lint-ignore-file no-console
import { z } from "zod";
import { type Program, runProgram } from "../tests/support/program.ts";

const planSchema = z.object({
  kvPath: z.string(),
  /** Of the two values that are set beside the head. */
  logBytes: z.number(),
  tailBytes: z.number(),
});
export type FloorPlan = z.output<typeof planSchema>;

/** A path of the address is a graph; each has one writer at a time. */
export async function openFloor(
  plan: FloorPlan,
): Promise<{ readonly url: string } & AsyncDisposable> {
  const program: Program = runProgram("bench/floor.ts", [JSON.stringify(plan)]);
  const [, url = ""] = await program.printed(/(ws:\S+)/);
  return { url, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
}

async function serve({ kvPath, logBytes, tailBytes }: FloorPlan): Promise<void> {
  const kv = await Deno.openKv(kvPath);
  const [log, tail] = [new Uint8Array(logBytes), new Uint8Array(tailBytes)];

  async function commit(graph: string, t: number, versionstamp: string | null): Promise<string> {
    const head = { t, log: graph, rows: graph, rowsVersion: 0, flushed: 0, updatedAt: Date.now() };
    const result = await kv.atomic()
      .check({ key: ["head", graph], versionstamp })
      .set(["head", graph], head)
      .set(["log", graph, graph, t, 0], log)
      .set(["tail", graph, graph, t, 0], tail)
      .commit();
    if (!result.ok) throw new Error("Cannot commit as there is another writer");
    return result.versionstamp;
  }

  const { addr } = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    const graph = new URL(request.url).pathname;
    let t = 0;
    let versionstamp: string | null = null;
    socket.onmessage = async () => {
      versionstamp = await commit(graph, ++t, versionstamp);
      socket.send(JSON.stringify({ type: "tx/batch/ok", t }));
    };
    return response;
  });
  console.log(`ws://127.0.0.1:${addr.port}`);
}

if (import.meta.main) await serve(planSchema.parse(JSON.parse(Deno.args[0] ?? "")));
