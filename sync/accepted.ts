/** The ids of accepted entries, in memory beside the store (kv/accepted.ts). */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { readAccepted, rememberedSince } from "../kv/accepted.ts";
import type { Head } from "../kv/head.ts";
import {
  type Generation,
  type GraphId,
  nextT,
  parseSentId,
  type SentId,
  type T,
  type TxId,
} from "../protocol/ids.ts";

/** Ids kept in memory: of some 200 graphs that are written to all the time, in 40 MB. */
const KEPT_IDS = 200_000;

interface Kept {
  readonly log: Generation;
  t: T;
  /** Ascending by t; some older ones than are remembered may be among them. */
  readonly versions: Map<SentId, T>;
}

/**
 * What an entry is known by. Not by its TxId alone: a client that has pulled its own entry back makes
 * it anew on what it found, and sends that under the same TxId (upstream.md §1.9).
 */
export function sentIdOf(txId: TxId, tx: string): SentId {
  const digest = createHash("sha256").update(tx).digest("hex").slice(0, 16);
  const id = parseSentId(`${txId}/${digest}`);
  if (id === undefined) throw new TypeError("Cannot name an entry");
  return id;
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
  async at(head: Head): Promise<ReadonlyMap<SentId, T>> {
    const { graph, log, t } = head;
    const oldest = rememberedSince(t);
    const kept = this.#usable(head) ?? { log, t: oldest, versions: new Map() };
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
  add(head: Head, made: readonly { readonly sent: readonly SentId[] }[]): void {
    const kept = this.#usable(head);
    if (kept?.t !== head.t) return;
    for (const { sent } of made) {
      kept.t = nextT(kept.t);
      for (const id of sent) kept.versions.set(id, kept.t);
    }
  }

  #usable({ graph, log, t }: Head): Kept | undefined {
    const kept = this.#kept.get(graph);
    return kept !== undefined && kept.log === log && kept.t <= t ? kept : undefined;
  }
}
