/**
 * A graph out of a file that `backup` or Logseq wrote. It is a new graph, under an id of its own: a
 * living graph's version must never go backwards, since its clients would take the newer for known.
 */
import { checkDb } from "../datascript/db_check.ts";
import { decodeNode, type Node, type Ref } from "../datascript/node.ts";
import { EMPTY_TAIL, openDb } from "../datascript/root.ts";
import { NO_SOURCE } from "../datascript/source.ts";
import { drive } from "../datascript/tree_check.ts";
import type { KvSet } from "../kv/change.ts";
import { writeInCommits } from "../kv/commit.ts";
import { graphKeySet } from "../kv/e2ee_keys.ts";
import { openFirstGeneration } from "../kv/garbage.ts";
import { createGraph, type GraphMeta } from "../kv/graphs.ts";
import { readHead } from "../kv/head.ts";
import { importedRowSets, type Row, rowJson } from "../kv/rows.ts";
import {
  type GraphId,
  newGeneration,
  newGraphId,
  ROOT_ADDR,
  TAIL_ADDR,
  type UserId,
} from "../protocol/ids.ts";
import { KvsFile } from "../sqlite/kvs_file.ts";
import { addrOf, RowMissingError } from "./database.ts";
import { Problems } from "./problems.ts";
import { type Attempt, untilSettled } from "./settle.ts";
import { trySweep } from "./try_sweep.ts";

export interface RestoreDeps {
  readonly kv: Deno.Kv;
  /** Ms since the epoch. */
  readonly now: () => number;
}

/** What was made. */
export interface Restored {
  readonly graph: GraphId;
  readonly rows: number;
}

/** The file holds no whole graph: `problems` has a sentence for each thing that is wrong. */
export class BrokenFileError extends Error {
  override readonly name: string = "BrokenFileError";
  constructor(path: string, readonly problems: readonly string[]) {
    super(`Cannot restore ${path} as it holds no whole graph:\n${problems.join("\n")}`);
  }
}

/** The file's graph is encrypted, and not for him whose it is to be. */
export class NoGraphKeyError extends Error {
  override readonly name: string = "NoGraphKeyError";
  constructor(path: string, owner: UserId, users: readonly string[]) {
    super(
      `Cannot restore ${path} for ${owner}, who couldn't read it: it is encrypted, and has keys for ` +
        `${users.join(", ") || "nobody"}`,
    );
  }
}

/** How full nodes are is the writer's affair: Logseq opens them all, and so do we. */
const ANY_KEYS = { minKeys: 1, maxKeys: Infinity };

/**
 * Checks the file first, all of it, and then makes a graph of its rows: whole, in the commit that
 * makes it, or not at all. A kill before that leaves rows that the server sweeps after an hour. Rows
 * that the file's trees don't refer to stay behind.
 *
 * Memory: an address for each row, and a commit's rows.
 *
 * @param progress called before the first row, and after each; begins again at 0 with an attempt
 * @throws {KvsFileError | BrokenFileError | NoGraphKeyError} nothing was written
 * @throws {Error} the store took no commit; nothing of the graph is left
 */
export async function restoreGraph(
  deps: RestoreDeps,
  path: string,
  meta: Omit<GraphMeta, "createdAt" | "e2ee">,
  progress: (done: number, total: number) => void = () => {},
): Promise<Restored> {
  using file = KvsFile.open(path);
  const addresses = checkFile(path, file);
  const rows = function* (): Generator<Row> {
    progress(0, addresses.length);
    for (const [i, address] of addresses.entries()) {
      yield rowAt(file, address);
      progress(i + 1, addresses.length);
    }
  };
  const keys = file.keys();
  const own = keys?.find(({ user }) => user === meta.owner);
  if (keys !== undefined && own === undefined) {
    throw new NoGraphKeyError(path, meta.owner, keys.map(({ user }) => user));
  }
  const made = { ...meta, createdAt: deps.now(), ...own !== undefined && { e2ee: true } };
  const graph = await untilSettled<GraphId>(
    `restore ${path}`,
    () => makeGraph(deps, made, own?.key, rows()),
  );
  return { graph, rows: addresses.length };
}

/**
 * The addresses of all rows of the file's graph, ascending.
 *
 * @throws {BrokenFileError | KvsFileError}
 */
function checkFile(path: string, file: KvsFile): readonly number[] {
  const problems = new Problems();
  const root = file.row(ROOT_ADDR);
  const tail = file.row(TAIL_ADDR);
  if (root === undefined) problems.tell("row 0", "is missing, the root");
  const db = root && problems.catchNow(
    tail === undefined ? "row 0" : "row 0 or row 1",
    () => openDb(root.content, tail?.content ?? EMPTY_TAIL, NO_SOURCE),
  );
  const nodeOf = (ref: Ref): Node | undefined => {
    if (typeof ref !== "number") return ref;
    const row = file.row(ref);
    if (row === undefined) problems.tell(`row ${ref}`, "is missing");
    return row && problems.catchNow(`row ${ref}`, () => decodeNode(row));
  };
  const checked = db &&
    drive(checkDb(db, ANY_KEYS, problems.tell), (refs) => refs.map(nodeOf));
  if (checked === undefined || problems.found.length > 0) {
    throw new BrokenFileError(path, problems.found);
  }
  const first = tail === undefined ? [ROOT_ADDR] : [ROOT_ADDR, TAIL_ADDR];
  return [...first, ...[...checked.addresses].sort((x, y) => x - y)];
}

function rowAt(file: KvsFile, address: number): Row {
  const addr = addrOf(address);
  const row = file.row(addr);
  if (row === undefined) throw new RowMissingError(`Row ${addr} has gone out of the file`);
  return { ...row, addr };
}

/**
 * Rows first, where nobody looks for them; then the graph.
 *
 * @param key of an encrypted graph, for its owner
 */
async function makeGraph(
  { kv, now }: RestoreDeps,
  meta: GraphMeta,
  key: string | undefined,
  rows: Iterable<Row>,
): Promise<Attempt<GraphId>> {
  const graph = newGraphId();
  const generation = newGeneration();
  const opened = await openFirstGeneration(kv, graph, generation, now());
  if (opened.kind !== "opened") return { again: opened };
  let made = false;
  try {
    const sets = function* (): Generator<KvSet> {
      for (const row of rows) yield* importedRowSets(graph, generation, rowJson(row));
    };
    const written = await writeInCommits(kv, sets(), [opened.guard]);
    if (written.kind !== "committed") return { again: written };
    const outcome = await createGraph(kv, graph, meta, {
      first: { generation, guard: opened.guard },
      beside: key === undefined ? [] : [graphKeySet(graph, { user: meta.owner, key })],
    });
    // The id is new, so if the graph is there, it was this call that made it.
    made = outcome.kind === "committed" || await readHead(kv, graph) !== undefined;
    return outcome.kind === "committed" || made ? { done: graph } : { again: outcome };
  } finally {
    // Why there is no graph is what the caller has to hear, whatever comes of this.
    if (!made) await trySweep(kv, graph, generation);
  }
}
