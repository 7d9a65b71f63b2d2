/**
 * Rows in and out at the size of a large graph, over HTTP of a server that is a process of its own:
 * beside bare commits and reads of what it keeps of them.
 */
import type { GraphId } from "../protocol/ids.ts";
import { bareCommits, commitAll, keptRows, listAll } from "./bare_rows.ts";
import { Beside } from "./beside.ts";
import { readLargeRows } from "./large.ts";
import { type BenchServer, openServer } from "./program.ts";
import type { Result } from "./result.ts";

const PAGE = 2000;
const ROUNDS = 2;

export async function snapshots(): Promise<readonly Result[]> {
  const lines = await readLargeRows();
  if (lines === undefined) return [];
  const bodies = importBodies(lines);
  const bytes = bodies.reduce((sum, { length }) => sum + length, 0);
  const work = { count: lines.length, of: "rows", bytes };
  const up = new Beside("snapshot/import, whole graph, to bare commits", work);
  const down = new Beside("snapshot/rows, whole graph, to a bare list", work);
  await using server = await openServer();
  using kept = await Deno.openKv(server.kvPath);
  for (let round = 0; round < ROUNDS; round++) {
    const graph = await server.served.createGraph();
    await up.ours(() => importAll(server, graph, bodies));
    const prefix = await keptRows(kept, graph);
    const commits = await bareCommits(kept, prefix);
    using bare = await Deno.openKv(`${server.kvPath}.${round}`);
    await up.floor(() => commitAll(bare, commits));
    await down.ours(() => readPages(server, graph));
    await down.floor(() => listAll(kept, prefix));
  }
  return [up.result({ atLeast: 0.6 }), down.result({ atLeast: 0.6 })];
}

/** Pages as clients send them. */
function importBodies(lines: readonly string[]): readonly Uint8Array<ArrayBuffer>[] {
  const encoder = new TextEncoder();
  return Array.from({ length: Math.ceil(lines.length / PAGE) }, (_, page) => {
    const rows = lines.slice(page * PAGE, (page + 1) * PAGE).join(",");
    return encoder.encode(`{"reset":${page === 0},"rows":[${rows}]}`);
  });
}

async function importAll(
  { served }: BenchServer,
  graph: GraphId,
  bodies: readonly Uint8Array<ArrayBuffer>[],
): Promise<void> {
  for (const body of bodies) await served.bytes(`/sync/${graph}/snapshot/import`, body);
}

/** As clients do, but the rows aren't parsed. */
async function readPages({ served }: BenchServer, graph: GraphId): Promise<void> {
  const decoder = new TextDecoder();
  for (let after = "-1", done = false; !done;) {
    const page = await served.bytes(`/sync/${graph}/snapshot/rows?after=${after}&limit=${PAGE}`);
    const end = /"last_addr":(\d+),"done":(true|false)}$/.exec(decoder.decode(page.subarray(-64)));
    if (end === null) throw new Error("Cannot go on as a page has no end");
    const [, lastAddr = "", isLast] = end;
    [after, done] = [lastAddr, isLast === "true"];
  }
}
