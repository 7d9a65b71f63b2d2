/** A backup as a stream to be sent: an SQLite file needs a disk to be written on, but no memory. */
import { join } from "node:path";
import type { GraphId } from "../protocol/ids.ts";
import { backupGraph, EmptyGraphError } from "./backup.ts";

/** A file on its way. Whoever has it must read `stream` to its end, or cancel it. */
export interface BackupFile {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Bytes. */
  readonly size: number;
  readonly filename: string;
}

/** Writes a graph into a new file; answers whether there was one to write. */
export type WriteBackup = (graph: GraphId, path: string) => Promise<boolean>;

/** Nothing was put into the graph yet, so there is no database that Logseq could open. */
export type BackupAnswer = BackupFile | "empty" | undefined;

/** The backup of a graph of this store; `undefined` where there is no such graph. */
export async function backupOf(kv: Deno.Kv, graph: GraphId): Promise<BackupAnswer> {
  try {
    return await backupFile(
      async (graph, path) => await backupGraph(kv, graph, path, { overwrite: false }) !== undefined,
      graph,
    );
  } catch (cause) {
    if (cause instanceof EmptyGraphError) return "empty";
    throw cause;
  }
}

/**
 * What was written as a file without a name, whole before this answers; `undefined`: nothing was.
 *
 * The file's name is gone once it is open, so nothing is left of it however the stream ends.
 */
export async function backupFile(
  write: WriteBackup,
  graph: GraphId,
): Promise<BackupFile | undefined> {
  const folder = await Deno.makeTempDir({ prefix: "sync-backup-" });
  try {
    const path = join(folder, "graph.sqlite");
    if (!await write(graph, path)) return undefined;
    const file = await Deno.open(path);
    const { size } = await file.stat();
    return { stream: file.readable, size, filename: `${graph}.sqlite` };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
