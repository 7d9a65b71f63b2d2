/**
 * `deno task verify GRAPH`, or `--all`: reads all that a graph of KV_PATH has, and says what is wrong,
 * a line each; exit status 1 then. A server may go on meanwhile.
 */
// deno-lint-ignore-file no-console
import { parseArgs } from "node:util";
import { listGraphIds } from "../kv/graphs.ts";
import type { GraphId } from "../protocol/ids.ts";
import { isDamage } from "../sync/problems.ts";
import { UnsteadyGraphError, type Verified, verifyGraph } from "../sync/verify.ts";
import { graphOf, noGraph, plain, runTask, TaskError } from "./store.ts";

const USAGE = "Usage: deno task verify GRAPH, or deno task verify --all";

/** Verifies, and answers whether all is sound. @throws {TaskError | UnsteadyGraphError} */
export async function verify(
  kv: Deno.Kv,
  args: readonly string[],
  print: (line: string) => void,
): Promise<boolean> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { all: { type: "boolean", default: false } },
  });
  if (positionals.length > (values.all ? 0 : 1)) {
    throw new TaskError(`One graph, or --all\n${USAGE}`);
  }
  const graphs = values.all ? await listGraphIds(kv) : [graphOf(positionals[0])];
  let sound = true;
  for (const graph of graphs) {
    const verified = await verifyGraph(kv, graph).catch((cause) => unreadable(cause));
    // Of all graphs one may have been removed meanwhile.
    if (verified === undefined && !values.all) noGraph(graph);
    if (verified === undefined) continue;
    for (const line of linesOf(graph, verified)) print(plain(line));
    sound &&= verified.problems.length === 0;
  }
  return sound;
}

/** What beside a graph's own entries, which verifyGraph tells of, a disk has damaged. */
function unreadable(cause: unknown): Verified {
  if (!isDamage(cause)) throw cause;
  return { t: 0, datoms: 0, rows: 0, logEntries: 0, strayRows: 0, problems: [cause.message] };
}

function linesOf(graph: GraphId, verified: Verified): readonly string[] {
  const { t, datoms, rows, logEntries, strayRows, problems } = verified;
  if (problems.length > 0) return problems.map((problem) => `${graph}: ${problem}`);
  const stray = strayRows === 0 ? "" : `, ${strayRows} imported rows of no use`;
  return [
    `${graph}: sound at t ${t}: ${datoms} datoms in ${rows} rows, ${logEntries} log entries${stray}`,
  ];
}

function isRefusal(cause: unknown): cause is Error {
  return cause instanceof UnsteadyGraphError || isDamage(cause);
}

if (import.meta.main) {
  await runTask(
    USAGE,
    async (kv) => await verify(kv, Deno.args, console.log) ? 0 : 1,
    isRefusal,
  );
}
