/**
 * `deno task restore FILE --owner alice [--name notes]`: makes a new graph in KV_PATH out of a file
 * that `backup` or Logseq wrote, and prints its id, alone on stdout.
 */
// deno-lint-ignore-file no-console
import { basename, extname } from "node:path";
import { parseArgs } from "node:util";
import { openKv } from "../kv/open.ts";
import { createGraphBodySchema } from "../protocol/http.ts";
import { parseUserId } from "../protocol/ids.ts";
import { KvsFileError } from "../sqlite/kvs_file.ts";
import { BrokenFileError, NoGraphKeyError, type Restored, restoreGraph } from "../sync/restore.ts";
import { type Progress, showProgress } from "./progress.ts";
import { runTask, TaskError } from "./store.ts";

const USAGE = "Usage: deno task restore FILE --owner alice [--name notes] [--schema-version 65.2]";

/**
 * Makes the graph that the arguments ask for.
 *
 * @param now ms since the epoch
 * @throws {TaskError | KvsFileError | BrokenFileError | NoGraphKeyError} and there is no new graph
 */
export async function restore(
  kv: Deno.Kv,
  args: readonly string[],
  now: () => number,
  progress?: Progress,
): Promise<Restored> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      owner: { type: "string" },
      name: { type: "string" },
      "schema-version": { type: "string" },
    },
  });
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) {
    throw new TaskError(`There must be one file\n${USAGE}`);
  }
  const owner = parseUserId(values.owner);
  if (owner === undefined) {
    throw new TaskError("--owner must name the user whose graph it will be: 1 to 512 characters");
  }
  const body = createGraphBodySchema.safeParse({
    graph_name: values.name ?? basename(path, extname(path)),
    ...values["schema-version"] !== undefined && { schema_version: values["schema-version"] },
  });
  if (!body.success) {
    throw new TaskError("--name must have at most 1024 characters, --schema-version 256");
  }
  const { graph_name: name, schema_version: schemaVersion } = body.data;
  const meta = { owner, name, ...typeof schemaVersion === "string" && { schemaVersion } };
  return await restoreGraph({ kv, now }, path, meta, progress);
}

function isRefusal(cause: unknown): cause is Error {
  return cause instanceof KvsFileError || cause instanceof BrokenFileError ||
    cause instanceof NoGraphKeyError;
}

if (import.meta.main) {
  await runTask(
    USAGE,
    async (kv) => {
      const shown = showProgress("rows");
      const restored = await restore(kv, Deno.args, () => Date.now(), shown.progress)
        .finally(shown.end);
      console.error(`A new graph of ${restored.rows} rows, at t 0:`);
      console.log(restored.graph);
      return 0;
    },
    isRefusal,
    openKv,
  );
}
