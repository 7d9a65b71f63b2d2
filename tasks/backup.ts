/** `deno task backup GRAPH FILE [--force]`: a graph of KV_PATH as an SQLite file that Logseq opens. */
// deno-lint-ignore-file no-console
import { parseArgs } from "node:util";
import { backupGraph, EmptyGraphError } from "../sync/backup.ts";
import { isDamage } from "../sync/problems.ts";
import { KvsFileError } from "../sqlite/kvs_file.ts";
import { type Progress, showProgress } from "./progress.ts";
import { graphOf, noGraph, runTask, TaskError } from "./store.ts";

const USAGE = "Usage: deno task backup GRAPH FILE [--force]";

/**
 * Writes the file, and answers the line that tells of it.
 *
 * @throws {TaskError | KvsFileError | EmptyGraphError} and the file is as it was before
 */
export async function backup(
  kv: Deno.Kv,
  args: readonly string[],
  progress?: Progress,
): Promise<string> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { force: { type: "boolean", default: false } },
  });
  const [text, path, ...more] = positionals;
  const graph = graphOf(text);
  if (path === undefined || more.length > 0) {
    throw new TaskError(`After the graph there must be one file\n${USAGE}`);
  }
  const options = { overwrite: values.force, ...progress && { progress } };
  const written = await backupGraph(kv, graph, path, options);
  if (written === undefined) noGraph(graph);
  return `${path} has graph ${graph} as of t ${written.t}: ${written.rows} rows`;
}

function isRefusal(cause: unknown): cause is Error {
  return cause instanceof KvsFileError || cause instanceof EmptyGraphError || isDamage(cause);
}

if (import.meta.main) {
  await runTask(USAGE, async (kv) => {
    const shown = showProgress("rows");
    const line = await backup(kv, Deno.args, shown.progress).finally(shown.end);
    console.log(line);
    return 0;
  }, isRefusal);
}
