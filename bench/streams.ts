/**
 * Rows in and out as today's clients send and take them: gzipped frames up, and all rows at once
 * down. Of a graph of 50,000 datoms, beside bare commits and a bare list of what is kept of it.
 */
import type { GraphId } from "../protocol/ids.ts";
import { readRows } from "../tests/support/fixtures.ts";
import { frameOf, gzipped } from "../tests/support/snapshots.ts";
import { bareCommits, commitAll, keptRows, listAll } from "./bare_rows.ts";
import { Beside } from "./beside.ts";
import { type BenchServer, openServer } from "./program.ts";
import type { Result } from "./result.ts";

/** Rows that a client sends at once. */
const FRAME_ROWS = 500;
const ROUNDS = 3;

export async function streams(): Promise<readonly Result[]> {
  const rows = readRows("variety-medium");
  const bytes = rows.reduce((sum, row) => sum + JSON.stringify(row).length, 0);
  const frames = Array.from(
    { length: Math.ceil(rows.length / FRAME_ROWS) },
    (_, i) => gzipped(frameOf(rows.slice(i * FRAME_ROWS, (i + 1) * FRAME_ROWS))),
  );
  const beside = (what: string): Beside =>
    new Beside(what, { count: rows.length, of: "rows", bytes });
  const up = beside("snapshot/upload, gzipped frames, to bare commits");
  const end = beside("snapshot/upload, the last call: rows looked at, to a bare list");
  const plain = beside("snapshot/stream, to a bare list");
  const packed = beside("snapshot/stream, gzipped, to a bare list");
  await using server = await openServer();
  using kv = await Deno.openKv(server.kvPath);
  for (let round = 0; round < ROUNDS; round++) {
    const graph = await server.served.createGraph();
    await up.ours(async () => {
      for (const [i, frame] of frames.entries()) {
        await upload(server, graph, `reset=${i === 0}`, frame);
      }
    });
    await end.ours(() => upload(server, graph, "reset=false&finished=true", frameOf([])));
    const prefix = await keptRows(kv, graph);
    const commits = await bareCommits(kv, prefix);
    using bare = await Deno.openKv(`${server.kvPath}.${round}`);
    await up.floor(() => commitAll(bare, commits));
    for (const down of [end, plain, packed]) {
      if (down !== end) await down.ours(() => stream(server, graph, down === packed));
      await down.floor(() => listAll(kv, prefix));
    }
  }
  return [up, end, plain, packed].map((row) => row.result());
}

async function upload(
  server: BenchServer,
  graph: GraphId,
  query: string,
  frame: Uint8Array<ArrayBuffer>,
): Promise<void> {
  await server.served.bytes(`/sync/${graph}/snapshot/upload?${query}`, frame);
}

async function stream({ served }: BenchServer, graph: GraphId, gzip: boolean): Promise<void> {
  const response = await fetch(`${served.url}/sync/${graph}/snapshot/stream`, {
    headers: {
      "authorization": served.authorization,
      "accept-encoding": gzip ? "gzip" : "identity",
    },
  });
  const { length } = await response.bytes();
  if (!response.ok || length === 0) throw new Error(`Cannot stream: ${response.status}`);
}
