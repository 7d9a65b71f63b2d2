/** The ids of accepted entries, in memory beside the store (kv/accepted.ts). */
import { LRUCache } from "lru-cache";
import { readAccepted, rememberedSince } from "../kv/accepted.ts";
import type { Head } from "../kv/head.ts";
import { type Generation, type GraphId, nextT, type T, type TxId } from "../protocol/ids.ts";

/** Ids kept in memory: of some 200 graphs that are written to all the time, in 40 MB. */
const KEPT_IDS = 200_000;

interface Kept {
  readonly log: Generation;
  t: T;
  /** Ascending by t; some older ones than are remembered may be among them. */
  readonly versions: Map<TxId, T>;
}

/** Who asks or adds has the graph's turn. */
export class AcceptedIds {
  readonly #kv: Deno.Kv;
  readonly #kept = new LRUCache<GraphId, Kept>({ maxSize: KEPT_IDS });

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  /**
   * The versions with which known entries were accepted, as of this head; valid until the end of
   * the turn.
   *
   * Cost: one read of what others added since the last call; nothing where they didn't.
   *
   * @throws {CorruptValueError}
   */
  async at({ graph, log, t }: Head): Promise<ReadonlyMap<TxId, T>> {
    const oldest = rememberedSince(t);
    const kept = this.#usable({ graph, log, t }) ?? { log, t: oldest, versions: new Map() };
    const since = kept.t > oldest ? kept.t : oldest;
    if (since < t) {
      for await (const accepted of readAccepted(this.#kv, graph, log, since, t)) {
        for (const id of accepted.ids) kept.versions.set(id, accepted.t);
      }
      kept.t = t;
    }
    for (const [id, made] of kept.versions) {
      if (made > oldest) break;
      kept.versions.delete(id);
    }
    this.#kept.set(graph, kept, { size: kept.versions.size + 1 });
    return kept.versions;
  }

  /** The versions that follow this head are made, each with entries of these ids. */
  add(head: Head, made: readonly { readonly txIds: readonly TxId[] }[]): void {
    const kept = this.#usable(head);
    if (kept?.t !== head.t) return;
    for (const { txIds } of made) {
      kept.t = nextT(kept.t);
      for (const id of txIds) kept.versions.set(id, kept.t);
    }
  }

  #usable({ graph, log, t }: Pick<Head, "graph" | "log" | "t">): Kept | undefined {
    const kept = this.#kept.get(graph);
    return kept !== undefined && kept.log === log && kept.t <= t ? kept : undefined;
  }
}
