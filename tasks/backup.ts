/**
 * `deno task backup GRAPH FILE [--force]`: a graph of KV_PATH as an SQLite file that Logseq opens.
 * `deno task backup --all FOLDER`: each graph there is, in place of the files of before.
 */
// deno-lint-ignore-file no-console
import { join } from "node:path";
import { parseArgs } from "node:util";
import { listGraphIds, readMeta } from "../kv/graphs.ts";
import type { GraphId } from "../protocol/ids.ts";
import { type Backup, backupGraph, EmptyGraphError } from "../sync/backup.ts";
import { isDamage } from "../sync/problems.ts";
import { KvsFileError } from "../sqlite/kvs_file.ts";
import { type Progress, showProgress } from "./progress.ts";
import { graphOf, noGraph, runTask, TaskError } from "./store.ts";

const USAGE = "Usage: deno task backup GRAPH FILE [--force], or deno task backup --all FOLDER";

/** What was done, a line each, and how many graphs there is no file of, though there should be. */
export interface Backups {
  readonly lines: readonly string[];
  readonly failed: number;
}

/**
 * Writes the file or files. Of all graphs those are left out into which nothing was put yet; one that
 * is damaged keeps no other from its file.
 *
 * @throws {TaskError | KvsFileError | EmptyGraphError} and the file is as it was before
 */
export async function backup(
  kv: Deno.Kv,
  args: readonly string[],
  progress?: Progress,
): Promise<Backups> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      force: { type: "boolean", default: false },
      all: { type: "boolean", default: false },
    },
  });
  if (values.all) return await backupAll(kv, positionals, progress);
  const [text, path, ...more] = positionals;
  const graph = graphOf(text);
  if (path === undefined || more.length > 0) {
    throw new TaskError(`After the graph there must be one file\n${USAGE}`);
  }
  const written = await backupGraph(kv, graph, path, { overwrite: values.force, progress });
  if (written === undefined) noGraph(graph);
  return { lines: [lineOf(path, graph, written)], failed: 0 };
}

async function backupAll(
  kv: Deno.Kv,
  [folder, ...more]: readonly string[],
  progress?: Progress,
): Promise<Backups> {
  if (folder === undefined || more.length > 0) {
    throw new TaskError(`With --all there must be one folder\n${USAGE}`);
  }
  const lines: string[] = [];
  let failed = 0;
  try {
    await Deno.mkdir(folder, { recursive: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TaskError(`Cannot make the folder ${folder}: ${reason}`, { cause });
  }
  for (const graph of await listGraphIds(kv)) {
    try {
      const path = join(folder, `${graph}.sqlite`);
      const written = await backupGraph(kv, graph, path, { overwrite: true, progress });
      if (written !== undefined) lines.push(lineOf(path, graph, written));
      // Else it has been removed meanwhile, or its head is missing.
      else if (await readMeta(kv, graph) !== undefined) {
        failed++;
        lines.push(`Cannot back up ${graph}: its head is missing`);
      }
    } catch (cause) {
      if (cause instanceof EmptyGraphError) continue;
      if (!isRefusal(cause)) throw cause;
      failed++;
      lines.push(`Cannot back up ${graph}: ${cause.message}`);
    }
  }
  return { lines, failed };
}

function lineOf(path: string, graph: GraphId, { t, rows }: Backup): string {
  return `${path} has graph ${graph} as of t ${t}: ${rows} rows`;
}

function isRefusal(cause: unknown): cause is Error {
  return cause instanceof KvsFileError || cause instanceof EmptyGraphError || isDamage(cause);
}

if (import.meta.main) {
  await runTask(USAGE, async (kv) => {
    const shown = showProgress("rows");
    const { lines, failed } = await backup(kv, Deno.args, shown.progress).finally(shown.end);
    for (const line of lines) console.log(line);
    return failed === 0 ? 0 : 1;
  }, isRefusal);
}
