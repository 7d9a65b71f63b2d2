/** Rows in and out at the size of a large graph: beside bare commits and reads of the same bytes. */
import { startServer } from "../tests/support/server.ts";
import { readLargeRows } from "./large.ts";
import { type Result, rounded, timed } from "./result.ts";

const PAGE = 2000;

export async function snapshots(): Promise<readonly Result[]> {
  const lines = await readLargeRows();
  if (lines === undefined) return [];
  const bytes = lines.reduce((sum, line) => sum + line.length, 0);
  const folder = await Deno.makeTempDir();
  try {
    await using server = await startServer({ kvPath: `${folder}/kv.sqlite3` });
    const graph = await server.createGraph();
    const up = await timed(async () => {
      for (let start = 0; start < lines.length; start += PAGE) {
        const rows = lines.slice(start, start + PAGE).join(",");
        const body = `{"reset":${start === 0},"rows":[${rows}]}`;
        await (await server.fetch(`/sync/${graph}/snapshot/import`, { body })).body?.cancel();
      }
    });
    const down = await timed(async () => {
      let rows = 0;
      for (let after = -1, done = false; !done;) {
        const path = `/sync/${graph}/snapshot/rows?after=${after}&limit=${PAGE}`;
        const text = await (await server.fetch(path)).text();
        rows += text.split('{"addr":').length - 1;
        after = Number(text.match(/"last_addr":(\d+),"done"/)?.[1]);
        done = text.endsWith('"done":true}');
      }
      return rows;
    });
    using bare = await Deno.openKv(`${folder}/bare.sqlite3`);
    const values = await Array.fromAsync(
      server.kv.list<unknown>({ prefix: ["row", graph] }, { batchSize: 500 }),
    );
    const bareUp = await timed(async () => {
      for (let start = 0; start < values.length; start += 700) {
        const operation = bare.atomic();
        for (const { key, value } of values.slice(start, start + 700)) operation.set(key, value);
        await operation.commit();
      }
    });
    const bareDown = await timed(async () => {
      for await (const entry of bare.list({ prefix: [] }, { batchSize: 500 })) void entry;
    });
    const work = `${lines.length} rows, ${rounded(bytes / 1e6)} MB`;
    const row = (what: string, ours: number, floor: number): Result => ({
      what,
      work,
      ours: `${Math.round(ours)} ms`,
      floor: `${Math.round(floor)} ms`,
      ratio: rounded(floor / ours),
    });
    return [
      row("snapshot/import, whole graph, floor to ours", up.ms, bareUp.ms),
      row("snapshot/rows, whole graph, floor to ours", down.ms, bareDown.ms),
    ];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
