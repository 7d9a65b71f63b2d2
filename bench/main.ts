/**
 * `deno task bench [NAME …]`: what things cost beside the floor that they stand on, measured in one
 * run. Absolute times vary with the machine; the ratios are the result.
 */
// deno-lint-ignore-file no-console
import { assets } from "./assets.ts";
import { batchOf50 } from "./batch_of_50.ts";
import { coldBatch } from "./cold_batch.ts";
import { encoding } from "./encoding.ts";
import { engine } from "./engine.ts";
import { entries } from "./entries.ts";
import { fanout } from "./fanout.ts";
import { memory } from "./memory.ts";
import { pull } from "./pull.ts";
import { rates } from "./rates.ts";
import { type Result, shown, timed } from "./result.ts";
import { snapshots } from "./snapshots.ts";
import { streams } from "./streams.ts";
import { flushThresholds, writeAmplification } from "./write_amplification.ts";

const BENCHES: Readonly<Record<string, () => Promise<readonly Result[]>>> = {
  "encoding": encoding,
  "assets": assets,
  "batch-of-50": batchOf50,
  "engine": engine,
  "cold-batch": coldBatch,
  "write-amplification": writeAmplification,
  "flush-thresholds": flushThresholds,
  "entries": entries,
  "rates": rates,
  "snapshots": snapshots,
  "streams": streams,
  "pull": pull,
  "memory": memory,
  "fanout": fanout,
};

if (import.meta.main) {
  const names = Deno.args.length > 0 ? Deno.args : Object.keys(BENCHES);
  const results: Result[] = [];
  for (const name of names) {
    const bench = BENCHES[name];
    if (bench === undefined) {
      console.error(`There is no bench ${name}: one of ${Object.keys(BENCHES).join(", ")}`);
      Deno.exit(2);
    }
    const { ms, value } = await timed(bench);
    console.log(`${name}: ${Math.round(ms / 1000)} s`);
    results.push(...value);
  }
  console.table(results.map(shown));
  await Deno.mkdir(new URL("results/", import.meta.url), { recursive: true });
  const file = new URL("results/last.json", import.meta.url);
  await Deno.writeTextFile(file, JSON.stringify(results.map(shown), null, 2));
}
