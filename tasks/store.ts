/** What the tasks of a store's owner share: the database of KV_PATH, how they print and end. */
// deno-lint-ignore-file no-console
import { stripVTControlCharacters } from "node:util";
import { ConfigError, environment, settings, valueOf } from "../config.ts";
import { OpenKvError, openKvThere } from "../kv/open.ts";
import { type GraphId, parseGraphId } from "../protocol/ids.ts";

/** The task can't be done as it was asked for; the message says what to change. */
export class TaskError extends Error {
  override readonly name: string = "TaskError";
}

/**
 * Runs a task on the store, and ends the process: with the status that it answers, or with 2 and a
 * line where the arguments, KV_PATH, or what they name is wrong.
 *
 * @param isRefusal of errors of the task's own that are told as a line
 * @param open for a task that may also make the database; else a path where none is must be a wrong one
 */
export async function runTask(
  usage: string,
  task: (kv: Deno.Kv) => Promise<number>,
  isRefusal: (cause: unknown) => cause is Error,
  open: (path: string) => Promise<Deno.Kv> = openKvThere,
): Promise<void> {
  try {
    // No other setting is of the store: the one who makes backups has no secret, and needs none.
    using kv = await open(valueOf(settings.kvPath, environment()));
    Deno.exitCode = await task(kv);
  } catch (cause) {
    if (isUsage(cause)) console.error(`${cause.message}\n${usage}`);
    else if (isTold(cause) || isRefusal(cause)) console.error(cause.message);
    else throw cause;
    Deno.exitCode = 2;
  }
}

/** Says all by its message. */
function isTold(cause: unknown): cause is Error {
  return cause instanceof TaskError || cause instanceof OpenKvError;
}

/** What `parseArgs` throws is a TypeError with a code. */
function isUsage(cause: unknown): cause is Error {
  return cause instanceof ConfigError ||
    cause instanceof TypeError && "code" in cause &&
      String(cause.code).startsWith("ERR_PARSE_ARGS");
}

/** @throws {TaskError} */
export function graphOf(text: string | undefined): GraphId {
  const graph = parseGraphId(text);
  if (graph !== undefined) return graph;
  throw new TaskError(
    `GRAPH must be a graph's id, a UUID, as \`deno task graphs\` lists them: got ${text ?? "none"}`,
  );
}

/** @throws {TaskError} */
export function noGraph(graph: GraphId): never {
  throw new TaskError(`There is no graph ${graph}: \`deno task graphs\` lists those of KV_PATH`);
}

/** What users wrote, in names or in rows, is not to move a terminal's cursor. */
export function plain(text: string): string {
  // deno-lint-ignore no-control-regex
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, " ");
}
