/** Rows in and out at the size of a large graph: beside bare commits and reads of the same bytes. */
import { gzipSync } from "node:zlib";
import { importRowSchema } from "../protocol/http.ts";
import { encodeFrame } from "../protocol/today/frames.ts";
import { startServer, type TestServer } from "../tests/support/server.ts";
import { readLargeRows } from "./large.ts";
import { type Result, rounded, timed } from "./result.ts";

const PAGE = 2000;
/** Rows that a client of today sends at once. */
const FRAME_ROWS = 500;

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
    const framed = await streams(server, lines);
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
      row("snapshot/upload, frames as today's clients send them", framed.up, bareUp.ms),
      row("snapshot/upload, the last call: rows looked at and summed", framed.end, bareDown.ms),
      row("snapshot/stream, floor to ours", framed.down, bareDown.ms),
      row("snapshot/stream, gzipped", framed.gzipped, bareDown.ms),
    ];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Ms of the same graph as today's clients take it: gzipped frames up, and all rows at once down. */
async function streams(
  server: TestServer,
  lines: readonly string[],
): Promise<Readonly<Record<"up" | "end" | "down" | "gzipped", number>>> {
  const graph = await server.createGraph();
  const path = `/sync/${graph}/snapshot`;
  const bodies: Uint8Array<ArrayBuffer>[] = [];
  for (let start = 0; start < lines.length; start += FRAME_ROWS) {
    const rows = lines.slice(start, start + FRAME_ROWS).map((line) =>
      importRowSchema.parse(JSON.parse(line))
    );
    bodies.push(new Uint8Array(gzipSync(encodeFrame(rows))));
  }
  const send = async (query: string, body: Uint8Array<ArrayBuffer>): Promise<void> => {
    const response = await server.fetch(`${path}/upload?${query}`, { body });
    if (!response.ok) throw new Error(`Cannot upload: ${await response.text()}`);
    await response.body?.cancel();
  };
  const up = await timed(async () => {
    for (const [i, body] of bodies.entries()) await send(`reset=${i === 0}`, body);
  });
  const end = await timed(() => send("reset=false&finished=true", encodeFrame([])));
  const stream = (encoding: string): ReturnType<typeof timed> =>
    timed(async () => {
      const headers = { "accept-encoding": encoding };
      await (await server.fetch(`${path}/stream`, { headers })).bytes();
    });
  const down = await stream("identity");
  const gzipped = await stream("gzip");
  return { up: up.ms, end: end.ms, down: down.ms, gzipped: gzipped.ms };
}
