/** How values are kept (kv/chunks.ts): is deflating worth it, and from which size on? */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { readLog, readRows } from "../tests/support/fixtures.ts";
import { type Result, rounded, timed } from "./result.ts";

const SIZES = [[0, 512], [512, 1024], [1024, 4096], [4096, Infinity]] as const;

export async function encoding(): Promise<readonly Result[]> {
  const encoder = new TextEncoder();
  const rows = readRows("medium-a").map(([addr, content, addresses]) =>
    encoder.encode(JSON.stringify({ addr, content, addresses }))
  );
  const log = readLog("medium-a").map((entry) => encoder.encode(JSON.stringify(entry)));
  const results: Result[] = [];
  for (const [name, values] of [["rows", rows], ["log", log]] as const) {
    for (const [least, most] of SIZES) {
      const some = values.filter(({ length }) => length >= least && length < most);
      if (some.length < 10) continue;
      for (const level of [1, 3, 6]) results.push(await measure(name, least, some, level));
    }
  }
  return results;
}

async function measure(
  name: string,
  least: number,
  values: readonly Uint8Array[],
  level: number,
): Promise<Result> {
  const bytes = values.reduce((sum, { length }) => sum + length, 0);
  // Once before, so that the first row of the table isn't that of a cold engine.
  for (const value of values) inflateRawSync(deflateRawSync(value, { level }));
  const deflated = await timed(() => values.map((value) => deflateRawSync(value, { level })));
  const inflated = await timed(() => deflated.value.map((value) => inflateRawSync(value)));
  const size = deflated.value.reduce((sum, { length }) => sum + length, 0);
  const each = (ms: number): string => `${rounded(ms / values.length * 1000)} µs`;
  return {
    what: `${name} from ${least} bytes, deflate ${level}`,
    work: `${values.length} values, ${bytes} bytes`,
    ours: `${size} bytes; ${each(deflated.ms)} in, ${each(inflated.ms)} out`,
    floor: `${bytes} bytes`,
    ratio: rounded(size / bytes),
  };
}
