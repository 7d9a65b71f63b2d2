/** The floor that rows stand on: what the server keeps of them, set and listed bare. */
import { readHead } from "../kv/head.ts";
import { rowsPrefix } from "../kv/keys.ts";
import { LIST_BATCH } from "../kv/limits.ts";
import type { GraphId } from "../protocol/ids.ts";

/** Of a bare commit: below what the store takes, of values and of keys. */
const COMMIT_BYTES = 550_000;
const COMMIT_SETS = 700;

type Commit = readonly Deno.KvEntry<Uint8Array>[];

/** Where a graph's rows are. */
export async function keptRows(kv: Deno.Kv, graph: GraphId): Promise<Deno.KvKey> {
  const head = await readHead(kv, graph);
  if (head === undefined) throw new Error(`Cannot read ${graph} as it is gone`);
  return rowsPrefix(graph, head.rows);
}

export async function listAll(kv: Deno.Kv, prefix: Deno.KvKey): Promise<void> {
  for await (const entry of listed(kv, prefix)) void entry;
}

/** All that is kept there, as full commits. */
export async function bareCommits(kv: Deno.Kv, prefix: Deno.KvKey): Promise<readonly Commit[]> {
  const commits: Deno.KvEntry<Uint8Array>[][] = [];
  let bytes = Infinity;
  for await (const entry of listed(kv, prefix)) {
    bytes += entry.value.length;
    const last = commits.at(-1);
    if (last !== undefined && bytes <= COMMIT_BYTES && last.length < COMMIT_SETS) last.push(entry);
    else {
      commits.push([entry]);
      bytes = entry.value.length;
    }
  }
  return commits;
}

export async function commitAll(kv: Deno.Kv, commits: readonly Commit[]): Promise<void> {
  for (const entries of commits) {
    const operation = kv.atomic();
    for (const { key, value } of entries) operation.set(key, value);
    await operation.commit();
  }
}

function listed(kv: Deno.Kv, prefix: Deno.KvKey): AsyncIterable<Deno.KvEntry<Uint8Array>> {
  return kv.list<Uint8Array>({ prefix }, { batchSize: LIST_BATCH });
}
