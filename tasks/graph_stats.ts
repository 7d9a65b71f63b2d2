/** `deno task graph-stats GRAPH`: how large a graph is. Reads the database of KV_PATH. */
// deno-lint-ignore-file no-console
import { ConfigError, environment } from "../config.ts";
import { openKv, OpenKvError } from "../kv/open.ts";
import { parseGraphId } from "../protocol/ids.ts";
import { graphStats } from "../sync/stats.ts";
import { readDevConfig } from "./dev_config.ts";

const USAGE = "Usage: deno task graph-stats GRAPH";

/** The lines to print; throws a TypeError that says what is wrong with the arguments. */
export async function statsLines(kv: Deno.Kv, args: readonly string[]): Promise<readonly string[]> {
  const graph = parseGraphId(args[0]);
  if (graph === undefined || args.length !== 1) {
    throw new TypeError("The one argument must be a graph's id, a UUID");
  }
  const stats = await graphStats(kv, graph);
  if (stats === undefined) throw new TypeError(`There is no graph ${graph}`);
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
  try {
    const { kvPath } = await readDevConfig(environment());
    using kv = await openKv(kvPath);
    for (const line of await statsLines(kv, Deno.args)) console.log(line);
  } catch (cause) {
    const ours = [TypeError, ConfigError, OpenKvError];
    if (!(cause instanceof Error && ours.some((kind) => cause instanceof kind))) throw cause;
    console.error(`${cause.message}\n${USAGE}`);
    Deno.exit(2);
  }
}
