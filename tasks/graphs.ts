/** `deno task graphs [--json]`: all graphs of KV_PATH, those that changed last first. */
// deno-lint-ignore-file no-console
import { parseArgs, stripVTControlCharacters } from "node:util";
import Table from "cli-table3";
import prettyBytes from "pretty-bytes";
import { listGraphIds, readMeta } from "../kv/graphs.ts";
import { readHead } from "../kv/head.ts";
import type { GraphId } from "../protocol/ids.ts";
import { isDamage } from "../sync/problems.ts";
import { graphSize } from "../sync/stats.ts";
import { runTask } from "./store.ts";

const USAGE = "Usage: deno task graphs [--json]";

/** One graph; `updatedAt` in ISO 8601, `bytes` of rows and log. */
interface ListedGraph {
  readonly graph: GraphId;
  readonly name: string;
  readonly owner: string;
  /** Whether the upload that makes it has ended. */
  readonly ready: boolean;
  readonly t: number;
  readonly rows: number;
  readonly bytes: number;
  readonly updatedAt: string;
}

/** The text to print: a table, or JSON. */
export async function graphsText(kv: Deno.Kv, args: readonly string[]): Promise<string> {
  const { values } = parseArgs({
    args: [...args],
    options: { json: { type: "boolean", default: false } },
  });
  const graphs = await listGraphs(kv);
  return values.json ? JSON.stringify(graphs, null, 2) : tableOf(graphs);
}

async function listGraphs(kv: Deno.Kv): Promise<readonly ListedGraph[]> {
  const graphs: ListedGraph[] = [];
  for (const graph of await listGraphIds(kv)) {
    const meta = await readMeta(kv, graph);
    const head = await readHead(kv, graph);
    // One that is being removed; or `verify` tells what is wrong.
    if (meta === undefined || head === undefined) continue;
    const { name, owner, readyForUse = true } = meta;
    const updatedAt = new Date(head.updatedAt).toISOString();
    const size = await graphSize(kv, head);
    graphs.push({ graph, name, owner, ready: readyForUse, t: head.t, ...size, updatedAt });
  }
  return graphs.sort((x, y) => x.updatedAt < y.updatedAt ? 1 : -1);
}

function tableOf(graphs: readonly ListedGraph[]): string {
  if (graphs.length === 0) return "There is no graph";
  const table = new Table({
    head: ["graph", "name", "owner", "ready", "t", "rows", "size", "last change"],
    colAligns: ["left", "left", "left", "left", "right", "right", "right"],
    style: { head: [], border: [], compact: true },
  });
  for (const { graph, name, owner, ready, t, rows, bytes, updatedAt } of graphs) {
    const facts = [ready ? "yes" : "no", t, rows, prettyBytes(bytes), updatedAt];
    table.push([graph, plain(name), plain(owner), ...facts]);
  }
  return table.toString();
}

/** Names are their owners' choice, and not to move a terminal's cursor. */
function plain(text: string): string {
  // deno-lint-ignore no-control-regex
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, " ");
}

if (import.meta.main) {
  await runTask(USAGE, async (kv) => {
    console.log(await graphsText(kv, Deno.args));
    return 0;
  }, isDamage);
}
