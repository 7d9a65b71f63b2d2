/**
 * What a server does once, before anybody needs it: batches on a graph of its own in memory, of which
 * each opens the graph anew, as the first one after a start does. That one takes half the time then on
 * a graph of a million datoms that it took after 15 batches on a graph of one leaf. All this is some
 * 0.6 s of work, in slices, once the server listens.
 */
import { createGraph } from "../kv/graphs.ts";
import { MEMORY } from "../kv/open.ts";
import { add, ref, txOf } from "../logseq/outliner_forms.ts";
import { parseClientMessage } from "../protocol/client_message.ts";
import { type GraphId, newGraphId, parseUserId, type T, T_ZERO } from "../protocol/ids.ts";
import { loggerFor } from "../telemetry/log.ts";
import { type BatchDeps, txBatch } from "./batch.ts";
import { Databases } from "./database.ts";
import { flush } from "./flush.ts";
import { nextTurn } from "./next_turn.ts";
import { pull } from "./pull.ts";
import { pullFrame } from "./pull_answer.ts";
import { RecentEntries } from "./recent.ts";
import { Turns } from "./turns.ts";

const log = loggerFor("warm-up");

/**
 * More than a graph has that is read whole (read_ahead.ts): so nodes are read level by level, as in a
 * large one.
 */
const BLOCKS = 1100;
const BLOCKS_A_BATCH = 100;
const CHILDREN = 20;

/** 6 in place of 12 bring four fifths of it, 20 no more. */
const ROUNDS = 12;

/** Answers the version that its graph reached. Between two batches whatever else there is goes on. */
export async function warmUp(): Promise<T> {
  using kv = await Deno.openKv(MEMORY);
  const owner = parseUserId("warm-up");
  if (owner === undefined) throw new TypeError("Cannot make a user");
  const now = (): number => Date.now();
  const graph = newGraphId();
  await createGraph(kv, graph, { owner, name: "warm-up", createdAt: now() });

  const common = { kv, turns: new Turns(), recent: new RecentEntries(), log, now };
  let t = T_ZERO;
  const sent = async (batches: readonly Forms[]): Promise<BatchDeps> => {
    const parts = { ...common, databases: new Databases(kv) };
    const deps = { ...parts, fanout: { moved: () => {} }, flusher: { changed: () => {} } };
    for (const forms of batches) {
      t = await send(deps, graph, t, forms);
      await nextTurn();
    }
    return deps;
  };

  const page = crypto.randomUUID();
  const blocks = Array.from({ length: BLOCKS }, () => crypto.randomUUID());
  await flush(await sent([aPage(page), ...allBlocks(page, blocks)]), graph);
  for (const block of blocks.filter((_, i) => i % Math.ceil(BLOCKS / ROUNDS) === 1)) {
    // Each has a database of its own, none of whose nodes are in memory.
    for (const forms of edits(page, block)) await sent([forms]);
  }
  const pulled = await pull(kv, graph, T_ZERO);
  if (pulled !== undefined) await pullFrame(pulled);
  return t;
}

type Forms = readonly unknown[];

async function send(deps: BatchDeps, graph: GraphId, t: T, forms: Forms): Promise<T> {
  const frame = { type: "tx/batch", t_before: t, txs: [txOf(...forms)] };
  const parsed = parseClientMessage(JSON.stringify(frame));
  if (!parsed.ok || parsed.message.type !== "tx/batch") throw new TypeError("Cannot read a batch");
  const answer = await txBatch(deps, graph, parsed.message);
  return answer?.type === "tx/batch/ok" ? answer.t : t;
}

/** As batches. */
function allBlocks(page: string, blocks: readonly string[]): readonly Forms[] {
  const batches: Forms[] = [];
  for (let start = 0; start < blocks.length; start += BLOCKS_A_BATCH) {
    const some = blocks.slice(start, start + BLOCKS_A_BATCH);
    batches.push(some.flatMap((block, i) => {
      const parent = i % CHILDREN === 0 ? page : some[i - i % CHILDREN] ?? page;
      return aBlock(block, { id: -1 - i, page, parent, order: `a${1000 + start + i}V` });
    }));
  }
  return batches;
}

/** What Logseq's outliner writes: a page, a new block, another title, a move, a deletion. */
function edits(page: string, block: string): readonly Forms[] {
  const [other, child] = [crypto.randomUUID(), crypto.randomUUID()];
  return [
    aPage(other),
    aBlock(child, { id: -1, page, parent: block, order: "a0" }),
    [add(ref(block), "title", "another title"), add(ref(block), "updated-at", 0)],
    [
      ["~:db/retract", ref(child), "~:block/parent", ref(block)],
      add(ref(child), "parent", ref(page)),
      add(ref(child), "order", "Zz"),
    ],
    [["~:db/retractEntity", ref(block)]],
  ];
}

function aPage(page: string): Forms {
  return [add(-1, "uuid", `~u${page}`), add(-1, "title", "a page"), add(-1, "name", "a page")];
}

interface Place {
  /** A tempid. */
  readonly id: number;
  readonly page: string;
  readonly parent: string;
  readonly order: string;
}

function aBlock(block: string, { id, page, parent, order }: Place): Forms {
  return [
    add(id, "uuid", `~u${block}`),
    add(id, "title", "a block"),
    add(id, "page", ref(page)),
    add(id, "parent", ref(parent)),
    add(id, "order", order),
  ];
}
