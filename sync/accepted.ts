/** The ids of accepted entries, in memory beside the store (kv/accepted.ts). */
import { LRUCache } from "lru-cache";
import { ACCEPTED_VERSIONS, readAccepted, rememberedSince } from "../kv/accepted.ts";
import type { Head } from "../kv/head.ts";
import type { Generation, GraphId, T, TxId } from "../protocol/ids.ts";

/** Graphs whose ids are kept in memory: some 200 KB each. */
const KEPT_GRAPHS = 100;

interface Kept {
  readonly log: Generation;
  readonly t: T;
  readonly versions: ReadonlyMap<TxId, T>;
}

export class AcceptedIds {
  readonly #kv: Deno.Kv;
  readonly #kept = new LRUCache<GraphId, Kept>({ max: KEPT_GRAPHS });

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  /**
   * The versions that known entries made, as of this head.
   *
   * Cost: one read of what came since the last call; nothing where the head hasn't moved.
   *
   * @throws {CorruptValueError}
   */
  async at({ graph, log, t }: Head): Promise<ReadonlyMap<TxId, T>> {
    const kept = this.#kept.get(graph);
    const usable = kept !== undefined && kept.log === log && kept.t <= t;
    if (usable && kept.t === t) return kept.versions;
    const oldest = rememberedSince(t);
    const since = usable && kept.t > oldest ? kept.t : oldest;
    const versions = new Map<TxId, T>(usable ? kept.versions : []);
    for await (const accepted of readAccepted(this.#kv, graph, log, since, t)) {
      versions.set(accepted.id, accepted.t);
    }
    if (versions.size > ACCEPTED_VERSIONS) {
      for (const [id, made] of versions) if (made <= oldest) versions.delete(id);
    }
    this.#kept.set(graph, { log, t, versions });
    return versions;
  }
}
