/**
 * Flush: folds the tail into the trees (datascript.md §6), beside whatever else goes on. New nodes
 * are written at new addresses, where nobody looks for them; one commit that the head guards then
 * makes the new root the graph's. Cut off anywhere, the graph is the one before or the one after.
 */
import { LRUCache } from "lru-cache";
import type { Db } from "../datascript/db.ts";
import { merge } from "../datascript/merge.ts";
import { compareFacts, type Index, INDEXES } from "../datascript/order.ts";
import { encodeNode } from "../datascript/node.ts";
import {
  countNewNodes,
  droppedAddresses,
  type PlacedNode,
  placeNodes,
} from "../datascript/place.ts";
import { encodeRoot } from "../datascript/root.ts";
import type { Root, Trees } from "../datascript/stored.ts";
import { BRANCHING_FACTOR, type Tree } from "../datascript/tree.ts";
import type { KvSet } from "../kv/change.ts";
import { writeInCommits } from "../kv/commit.ts";
import { type Claim, claimAddresses, flushSets } from "../kv/flushes.ts";
import { commitHead, type Head, isStill, readHead } from "../kv/head.ts";
import { rowSets } from "../kv/rows.ts";
import { type GraphId, ROOT_ADDR, T_ZERO, TAIL_ADDR } from "../protocol/ids.ts";
import type { Logger } from "../telemetry/log.ts";
import { hasSameBase } from "./base.ts";
import { addrOf, type Databases, type OpenDb } from "./database.ts";
import { nextTurn } from "./next_turn.ts";
import type { CachedNodes } from "./node_cache.ts";
import { type Attempt, untilSettled } from "./settle.ts";
import type { Turns } from "./turns.ts";

export interface FlushDeps {
  readonly kv: Deno.Kv;
  readonly databases: Databases;
  readonly turns: Turns;
  readonly log: Logger;
  /** Ms since the epoch. */
  readonly now: () => number;
  /** Keys that a node holds at most; Logseq's branching factor but for tests. */
  readonly maxKeys?: number;
  /** Told of each flush in the background, with how long it took. */
  readonly flushed?: (outcome: FlushOutcome["kind"] | "failed", ms: number) => void;
}

/** `done`: the head's rows hold all up to `t`. `lost`: another's flush, import or reset came first. */
export type FlushOutcome =
  | { readonly kind: "done"; readonly head: Head }
  | { readonly kind: "lost" };

/** Facts folded in, and rows made, between two looks at the event loop: some milliseconds of work. */
const FACTS_SLICE = 1024;
const ROWS_SLICE = 64;

/**
 * Folds all of the tail that there is now; `undefined` where there is no such graph or no tail.
 *
 * Cost: reads the nodes on the way of each fact, writes about as many. Batches go on meanwhile, but
 * for the time of one commit.
 *
 * @throws {RowMissingError} the graph's rows are not all there (yet): it stays as it is
 */
export async function flush(deps: FlushDeps, graph: GraphId): Promise<FlushOutcome | undefined> {
  const head = await readHead(deps.kv, graph);
  if (head === undefined || head.t === head.flushed) return undefined;
  try {
    return await flushAt(deps, head);
  } catch (cause) {
    const now = await readHead(deps.kv, graph);
    if (now !== undefined && hasSameBase(now, head)) throw cause;
    // Rows may be gone with what another's flush, import or reset has replaced.
    return { kind: "lost" };
  }
}

async function flushAt(deps: FlushDeps, head: Head): Promise<FlushOutcome> {
  const open = await deps.databases.open(head);
  const nodes = deps.databases.nodesOf(head);
  const trees = await foldAll(deps, open, nodes);
  const written = await writeNodes(deps, open, trees);
  return written === undefined
    ? { kind: "lost" }
    : await switchTo(deps, open, nodes, trees, written);
}

async function foldAll(deps: FlushDeps, { head, db }: OpenDb, nodes: CachedNodes): Promise<Trees> {
  const maxKeys = deps.maxKeys ?? BRANCHING_FACTOR;
  const folded: Record<Index, Tree> = { ...db.root.trees };
  for (const index of INDEXES) {
    const rules = { source: nodes, compare: compareFacts[index], maxKeys };
    const facts = db.changes(index);
    for (let start = 0; start < facts.length; start += FACTS_SLICE) {
      const slice = facts.slice(start, start + FACTS_SLICE);
      const work = (): Tree => merge(rules, folded[index], slice);
      folded[index] = await deps.databases.runOn(head, nodes, work);
      await nextTurn();
    }
  }
  return folded;
}

/** New nodes that are in the store, where nobody looks for them yet. */
interface Written {
  readonly claim: Claim;
  readonly placed: readonly PlacedNode[];
  /** Of each, the characters of its row. */
  readonly sizes: readonly number[];
  /** Of the trees' roots. */
  readonly addresses: Readonly<Record<Index, number>>;
  /** The greatest address that was given. */
  readonly maxAddr: number;
}

/** `undefined`: another's flush, import or reset came first. */
async function writeNodes(
  deps: FlushDeps,
  { head, db }: OpenDb,
  trees: Trees,
): Promise<Written | undefined> {
  const { graph, rows } = head;
  const count = INDEXES.reduce((sum, index) => sum + countNewNodes(trees[index].root), 0);
  const claim = await claimFor(deps, head, Math.max(1, count), db.root.maxAddr);
  if (claim === undefined) return undefined;
  const placed: PlacedNode[] = [];
  let next: number = claim.first;
  const addressOf = (index: Index): number => placeNodes(trees[index].root, () => next++, placed);
  const addresses = { eavt: addressOf("eavt"), aevt: addressOf("aevt"), avet: addressOf("avet") };
  const sizes: number[] = [];
  const sets = async function* (): AsyncGenerator<KvSet> {
    for (const [i, { addr, keys, children }] of placed.entries()) {
      if (i % ROWS_SLICE === 0) await nextTurn();
      const row = encodeNode(keys, children);
      sizes.push(row.content.length);
      yield* rowSets(graph, rows, { ...row, addr: addrOf(addr) });
    }
  };
  const outcome = await writeInCommits(deps.kv, sets(), claim.guards);
  if (outcome.kind !== "committed") return undefined;
  return { claim, placed, sizes, addresses, maxAddr: next - 1 };
}

/** Makes the new nodes the graph's. */
async function switchTo(
  { kv, databases, turns, log, now }: FlushDeps,
  { head, db }: OpenDb,
  nodes: CachedNodes,
  trees: Trees,
  { claim, placed, sizes, addresses, maxAddr }: Written,
): Promise<FlushOutcome> {
  const { graph, rows } = head;
  const root = rootOf(db, trees, addresses, maxAddr);
  const uselessIn = (index: Index): readonly number[] =>
    droppedAddresses(nodes, db.root.trees[index].root, trees[index].root);
  const useless = await databases.runOn(head, nodes, () => INDEXES.flatMap(uselessIn));
  const dropped = useless.map(addrOf);
  // The rows that were imported are in the first flush's root.
  if (head.flushed === T_ZERO) dropped.push(ROOT_ADDR, TAIL_ADDR);
  const change = {
    sets: flushSets(graph, rows, {
      t: head.t,
      root: encodeRoot(root, addresses),
      since: now(),
      dropped,
    }),
    deletes: [claim.key],
    checks: claim.guards,
  };
  const attempt = async (): Promise<Attempt<FlushOutcome>> => {
    const current = await readHead(kv, graph);
    if (current?.rows === rows && current.flushed === head.t) {
      return { done: { kind: "done", head: current } };
    }
    if (current === undefined || !hasSameBase(current, head)) return { done: { kind: "lost" } };
    const switched = await commitHead(kv, current, { ...current, flushed: head.t }, change);
    // The guards may be what failed: then another has claimed addresses, and flushes.
    if (switched.kind === "conflict" && await isStill(kv, current)) {
      return { done: { kind: "lost" } };
    }
    if (switched.kind !== "committed") return { again: switched };
    nodes.drop(useless);
    // The next batch needs some of them: so they needn't be read.
    for (const [i, { addr, ...node }] of placed.entries()) {
      nodes.offer(addr, node, sizes[i] ?? 0);
    }
    databases.flushed(switched.head, root);
    log.debug("{graph} is flushed up to t {t}: {rows} rows written, {dropped} dropped", {
      graph,
      t: head.t,
      rows: placed.length,
      dropped: dropped.length,
    });
    return { done: { kind: "done", head: switched.head } };
  };
  return await turns.take(graph, () => untilSettled(`switch ${graph} to new rows`, attempt));
}

/** Addresses for a flush of this head, which batches may have moved; `undefined`: it is lost. */
async function claimFor(
  { kv, now, turns }: FlushDeps,
  head: Head,
  count: number,
  above: number,
): Promise<Claim | undefined> {
  const { graph } = head;
  return await turns.take(
    graph,
    () =>
      untilSettled<Claim | undefined>(`claim addresses of ${graph}`, async () => {
        const current = await readHead(kv, graph);
        if (current === undefined || !hasSameBase(current, head)) return { done: undefined };
        const outcome = await claimAddresses(kv, current, count, above, now());
        if (outcome.kind === "claimed") return { done: outcome.claim };
        // Another flush has claimed some, unless it was a batch that came first.
        return outcome.kind === "conflict" && !await isStill(kv, current)
          ? { again: outcome }
          : { done: undefined };
      }),
  );
}

function rootOf(
  db: Db,
  trees: Trees,
  addresses: Readonly<Record<Index, number>>,
  maxAddr: number,
): Root {
  const stored = (index: Index): Tree => ({ ...trees[index], root: addresses[index] });
  return {
    schema: db.schema,
    trees: { eavt: stored("eavt"), aevt: stored("aevt"), avet: stored("avet") },
    maxEid: db.maxEid,
    maxTx: db.maxTx,
    maxAddr,
  };
}

/**
 * Facts in the overlay from which on they are folded in. A run of small edits all over a graph sets
 * 3.3 times the bytes of its log so, and 4.3 times from 2000 on (bench write-amplification,
 * flush-thresholds); a fresh process reads a tail of this many facts at its first batch.
 */
export const FLUSH_FROM = 4000;

/**
 * The same in characters of the tail: a process reads a tail whole, and twelve texts of 30 MB were more
 * than one could.
 */
const FLUSH_FROM_LENGTH = 8 * 1024 * 1024;

const MAX_LENGTHS = 10_000;

/** Flushes in the background, one at a time for each graph. */
export class Flusher {
  readonly #deps: FlushDeps;
  readonly #from: number;
  readonly #clock: () => number;
  readonly #running = new Map<GraphId, Promise<void>>();
  /** Characters that came into each tail here since its last flush; of the graphs written to last. */
  readonly #lengths = new LRUCache<GraphId, number>({ max: MAX_LENGTHS });

  /** @param clock ms; of one that can be set back a flush would take less than no time */
  constructor(
    deps: FlushDeps,
    from: number = FLUSH_FROM,
    clock: () => number = () => performance.now(),
  ) {
    this.#deps = deps;
    this.#from = from;
    this.#clock = clock;
  }

  /** A batch left the graph's database with an overlay of this size, and its tail longer by so much. */
  changed(graph: GraphId, overlaySize: number, length: number): void {
    const total = (this.#lengths.get(graph) ?? 0) + length;
    this.#lengths.set(graph, total);
    const isDue = overlaySize >= this.#from || total >= FLUSH_FROM_LENGTH;
    if (!isDue || this.#running.has(graph)) return;
    this.#lengths.delete(graph);
    const work = this.#flush(graph).finally(() => this.#running.delete(graph));
    this.#running.set(graph, work);
  }

  async #flush(graph: GraphId): Promise<void> {
    const start = this.#clock();
    let outcome: FlushOutcome["kind"] | "failed" | undefined;
    try {
      outcome = (await flush(this.#deps, graph))?.kind;
    } catch (cause) {
      this.#deps.log.error("Cannot flush {graph}", { graph, cause });
      outcome = "failed";
    }
    if (outcome !== undefined) this.#deps.flushed?.(outcome, this.#clock() - start);
  }

  /** Answers when no flush is under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }
}
