/** `deno task graphs [--json]`: all graphs of KV_PATH, those that changed last first. */
// deno-lint-ignore-file no-console
import { parseArgs } from "node:util";
import Table from "cli-table3";
import prettyBytes from "pretty-bytes";
import { listGraphIds, readMeta } from "../kv/graphs.ts";
import { readHead } from "../kv/head.ts";
import type { GraphId } from "../protocol/ids.ts";
import { isDamage } from "../sync/problems.ts";
import { graphSize } from "../sync/stats.ts";
import { plain, runTask } from "./store.ts";

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

/** What there is to print: a table, or JSON; and a line for each graph that is too damaged to be in it. */
export interface Listing {
  readonly text: string;
  readonly damaged: readonly string[];
}

/** All graphs of the store. */
export async function graphsListing(kv: Deno.Kv, args: readonly string[]): Promise<Listing> {
  const { values } = parseArgs({
    args: [...args],
    options: { json: { type: "boolean", default: false } },
  });
  const graphs: ListedGraph[] = [];
  const damaged: string[] = [];
  for (const graph of await listGraphIds(kv)) {
    try {
      const listed = await listGraph(kv, graph);
      if (listed !== undefined) graphs.push(listed);
    } catch (cause) {
      if (!isDamage(cause)) throw cause;
      damaged.push(`Cannot list ${graph}: ${cause.message}`);
    }
  }
  graphs.sort((x, y) => x.updatedAt < y.updatedAt ? 1 : -1);
  return { text: values.json ? JSON.stringify(graphs, null, 2) : tableOf(graphs), damaged };
}

async function listGraph(kv: Deno.Kv, graph: GraphId): Promise<ListedGraph | undefined> {
  const meta = await readMeta(kv, graph);
  const head = await readHead(kv, graph);
  // One that is being removed; or `verify` tells what is wrong.
  if (meta === undefined || head === undefined) return undefined;
  const { name, owner, readyForUse = true } = meta;
  const updatedAt = new Date(head.updatedAt).toISOString();
  const size = await graphSize(kv, head);
  return { graph, name, owner, ready: readyForUse, t: head.t, ...size, updatedAt };
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

if (import.meta.main) {
  await runTask(USAGE, async (kv) => {
    const { text, damaged } = await graphsListing(kv, Deno.args);
    console.log(text);
    for (const line of damaged) console.error(line);
    return damaged.length === 0 ? 0 : 1;
  }, isDamage);
}
