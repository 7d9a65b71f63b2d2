/** `deno task graph-stats GRAPH`: how large a graph is. Reads the database of KV_PATH. */
// deno-lint-ignore-file no-console
import { parseArgs } from "node:util";
import { isDamage } from "../sync/problems.ts";
import { graphStats } from "../sync/stats.ts";
import { graphOf, noGraph, runTask, TaskError } from "./store.ts";

const USAGE = "Usage: deno task graph-stats GRAPH";

/** The lines to print. @throws {TaskError} */
export async function statsLines(kv: Deno.Kv, args: readonly string[]): Promise<readonly string[]> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true, options: {} });
  const [text, ...more] = positionals;
  if (more.length > 0) throw new TaskError(`There must be one graph\n${USAGE}`);
  const graph = graphOf(text);
  const stats = await graphStats(kv, graph);
  if (stats === undefined) noGraph(graph);
  return [
    `t                  ${stats.t}`,
    `datoms in trees    ${stats.datoms}`,
    `rows               ${stats.rows} (${stats.rowBytes} bytes)`,
    `garbage rows       ${stats.garbageRows}`,
    `tail               ${stats.tailTransactions} transactions, ${stats.tailDatoms} datoms`,
    `log                ${stats.logEntries} entries (${stats.logBytes} bytes)`,
  ];
}

if (import.meta.main) {
  await runTask(USAGE, async (kv) => {
    for (const line of await statsLines(kv, Deno.args)) console.log(line);
    return 0;
  }, isDamage);
}
