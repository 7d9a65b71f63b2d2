/**
 * What a server does once, before anybody needs it: some batches on a graph of its own in memory. The
 * first one of a process takes 50 to 65 ms before its commit, nearly all of it compiling, and 14 to 19
 * after these, which take some 300 ms once the server listens.
 */
import { createGraph } from "../kv/graphs.ts";
import { add, ref, txOf } from "../logseq/outliner_forms.ts";
import { parseClientMessage } from "../protocol/client_message.ts";
import { type GraphId, newGraphId, parseUserId, type T, T_ZERO } from "../protocol/ids.ts";
import { SILENT } from "../telemetry/log.ts";
import { type BatchDeps, txBatch } from "./batch.ts";
import { Databases } from "./database.ts";
import { flush } from "./flush.ts";
import { nextTurn } from "./next_turn.ts";
import { NodeCache } from "./node_cache.ts";
import { pull } from "./pull.ts";
import { pullFrame } from "./pull_answer.ts";
import { RecentEntries } from "./recent.ts";
import { Turns } from "./turns.ts";

/** More of them hardly make the next one faster. */
const ROUNDS = 3;

/**
 * About as many as a graph of Logseq's has: they are in its root row, which is read first, and give the
 * trees inner nodes. With them a first batch on a million datoms takes 0.6 of the processor time.
 */
const ATTRIBUTES = 300;
const ATTRIBUTES_A_BATCH = 30;

/** More than all of its nodes take. */
const CACHE_BYTES = 1024 * 1024;

/**
 * Answers the version that its graph reached. Between two batches whatever else there is goes on.
 *
 * @param kv a database in memory that nobody else uses; it stays the caller's to close
 */
export async function warmUp(kv: Deno.Kv): Promise<T> {
  const owner = parseUserId("warm-up");
  if (owner === undefined) throw new TypeError("Cannot make a user");
  const now = (): number => Date.now();
  const graph = newGraphId();
  await createGraph(kv, graph, { owner, name: "warm-up", createdAt: now() });

  const recent = new RecentEntries();
  let t = T_ZERO;
  for (let round = 0; round < ROUNDS; round++) {
    // Each time as after a start: the nodes of the round before have to be read.
    const parts = {
      kv,
      databases: new Databases(kv, new NodeCache(CACHE_BYTES)),
      turns: new Turns(),
      recent,
      // It would tell of a graph that nobody made.
      log: SILENT,
      now,
    };
    const deps = { ...parts, fanout: { moved: () => {} }, flusher: { changed: () => {} } };
    const made = round === 0 ? attributes() : [];
    for (const forms of [...made, ...edits(crypto.randomUUID(), crypto.randomUUID())]) {
      t = await send(deps, graph, t, forms);
      await nextTurn();
    }
    await flush(parts, graph);
  }
  const pulled = await pull(kv, graph, T_ZERO);
  if (pulled !== undefined) await pullFrame(pulled);
  return t;
}

async function send(deps: BatchDeps, graph: GraphId, t: T, forms: readonly unknown[]): Promise<T> {
  const frame = { type: "tx/batch", t_before: t, txs: [txOf(...forms)] };
  const parsed = parseClientMessage(JSON.stringify(frame));
  if (!parsed.ok || parsed.message.type !== "tx/batch") throw new TypeError("Cannot read a batch");
  const answer = await txBatch(deps, graph, parsed.message);
  return answer?.type === "tx/batch/ok" ? answer.t : t;
}

/** Forms that make attributes, in batches. */
function* attributes(): Generator<readonly unknown[]> {
  for (let i = 0; i < ATTRIBUTES; i += ATTRIBUTES_A_BATCH) {
    yield Array.from({ length: ATTRIBUTES_A_BATCH }, (_, j) => {
      const [e, name] = [-1 - j, `~:user.property/of-a-graph-${i + j}`];
      return [
        ["~:db/add", e, "~:db/ident", name],
        ["~:db/add", e, "~:db/cardinality", "~:db.cardinality/one"],
        ["~:db/add", e, "~:db/index", true],
      ];
    }).flat();
  }
}

/** What Logseq's outliner writes: a page and a block, another title, a move, a deletion. */
function edits(page: string, block: string): readonly (readonly unknown[])[] {
  return [
    [add(-1, "uuid", `~u${page}`), add(-1, "title", "a page"), add(-1, "name", "a page")],
    [
      add(-1, "uuid", `~u${block}`),
      add(-1, "title", "a block"),
      add(-1, "page", ref(page)),
      add(-1, "parent", ref(page)),
      add(-1, "order", "a0"),
    ],
    [add(ref(block), "title", "another title"), add(ref(block), "updated-at", 0)],
    [
      ["~:db/retract", ref(block), "~:block/parent", ref(page)],
      add(ref(block), "parent", ref(page)),
      add(ref(block), "order", "a1"),
    ],
    [["~:db/retractEntity", ref(block)]],
  ];
}
