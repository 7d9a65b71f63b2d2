/** A user's graphs at a glance: what the status page shows. */
import { recentBatches } from "../kv/activity.ts";
import { listOwned } from "../kv/graphs.ts";
import type { GraphId, T, UserId } from "../protocol/ids.ts";
import type { Hub } from "./hub.ts";
import type { Sizes } from "./sizes.ts";
import type { GraphSize } from "./stats.ts";

export interface GraphOverview {
  readonly graph: GraphId;
  readonly name: string;
  /** Whether the upload that makes it has ended. */
  readonly ready: boolean;
  readonly t: T;
  /** Ms since the epoch. */
  readonly updatedAt: number;
  /** Open sockets of this process. */
  readonly clients: number;
  /** Accepted batches in each of the last 24 hours, the one under way last. */
  readonly batches: readonly number[];
  /** `undefined` while it is being counted. */
  readonly size: GraphSize | undefined;
}

export interface OverviewDeps {
  readonly kv: Deno.Kv;
  readonly hub: Pick<Hub, "each">;
  readonly sizes: Sizes;
  /** Ms since the epoch. */
  readonly now: () => number;
}

/** How long a page waits for sizes that nobody has counted yet. */
const PATIENCE_MS = 500;

/**
 * The one that changed last first.
 *
 * Cost: two reads for 10 graphs, and the index; sizes are counted beside it (sizes.ts).
 *
 * @throws {CorruptValueError}
 */
export async function overviewOf(
  { kv, hub, sizes, now }: OverviewDeps,
  user: UserId,
): Promise<readonly GraphOverview[]> {
  const owned = await listOwned(kv, user);
  const overviews = await Promise.all(owned.map(async ({ graph, meta, head }) => ({
    graph,
    name: meta.name,
    ready: meta.readyForUse !== false,
    t: head.t,
    updatedAt: head.updatedAt,
    clients: hub.each(graph).length,
    batches: recentBatches(head.activity, now()),
    size: await sizes.of(head, PATIENCE_MS),
  })));
  return overviews.toSorted((a, b) => b.updatedAt - a.updatedAt);
}
