/** Graphs as things that are made, listed, emptied and removed. */
import type { BlobStores } from "../assets/store.ts";
import { generationsOf, listGarbage, markGarbage, sweepGeneration } from "../kv/garbage.ts";
import {
  countOwned,
  createGraph,
  type GraphAtHead,
  type GraphMeta,
  isNameTaken,
  listOwned,
  type OwnedCount,
  readMeta,
  removeGraph,
} from "../kv/graphs.ts";
import { begun, checksumLost, commitHead, type Head, readHead } from "../kv/head.ts";
import { type JoinedGraph, listJoined, readCircle, sweepOrphans } from "../kv/members.ts";
import { forgetUpload } from "../kv/snapshot_uploads.ts";
import type { GraphsAnswer } from "../protocol/http.ts";
import {
  EMPTY_CHECKSUM,
  type GraphId,
  newGeneration,
  newGraphId,
  type UserId,
} from "../protocol/ids.ts";
import type { NewGraph } from "../protocol/new_graph.ts";
import type { Role } from "../protocol/role.ts";
import type { ListedGraph } from "../protocol/today/http.ts";
import type { RoleInGraph } from "../protocol/today/members.ts";
import { removeAssets } from "./asset_sweep.ts";
import type { Fanout } from "./fanout.ts";
import { type Attempt, attempted, untilSettled } from "./settle.ts";
import { trySweep } from "./try_sweep.ts";

export interface GraphsDeps {
  readonly kv: Deno.Kv;
  /** Where files are, of graphs that are removed. */
  readonly stores: BlobStores;
  /** Ms since the epoch. */
  readonly now: () => number;
  /** Tells the graph's sockets, as soon as it is so: what is swept then may take a while, or fail. */
  readonly ended?: Fanout["ended"];
}

/** What can be done with graphs; whether the caller may is the routes' to ask, by `access`. */
export interface Graphs {
  /** `missing`: there is no such graph; `forbidden`: it is another's, who hasn't invited the user. */
  readonly access: (user: UserId, graph: GraphId) => Promise<Role | "forbidden" | "missing">;
  /** Whether the upload that makes the graph has ended; `undefined`: there is no such graph. */
  readonly ready: (graph: GraphId) => Promise<boolean | undefined>;
  /** Makes one at version 0, unless the user has `most`, or one of this name that is to be the only one. */
  readonly create: (most: number, user: UserId, body: NewGraph) => Promise<CreateOutcome>;
  /** The user's own and those that he was invited to, newest `updated_at` first. */
  readonly list: (user: UserId) => Promise<readonly ListedFor[]>;
  /**
   * Removes all that the graph owns; all is gone when this answers. Idempotent, so where it throws as
   * something can't be swept, it can be called again.
   */
  readonly remove: (graph: GraphId) => Promise<void>;
  /** Empties log and rows, and sets t to 0; `undefined`: there is no such graph. */
  readonly reset: (graph: GraphId) => Promise<true | undefined>;
}

/** A graph as both dialects list it, and what the user is in it. */
export type ListedFor = GraphsAnswer["graphs"][number] & ListedGraph & RoleInGraph;

export type CreateOutcome =
  | { readonly kind: "created"; readonly graph: GraphId }
  | { readonly kind: "too many" }
  | { readonly kind: "name taken" };

/** Reads nothing yet. */
export function openGraphs(deps: GraphsDeps): Graphs {
  const { kv } = deps;
  return {
    access: async (user, graph) => {
      const circle = await readCircle(kv, graph, [user]);
      return circle === undefined ? "missing" : circle.standings[0]?.role ?? "forbidden";
    },
    ready: async (graph) => {
      const meta = await readMeta(kv, graph);
      return meta && meta.readyForUse !== false;
    },
    create: (most, user, body) => create(deps, most, user, body),
    list: async (user) =>
      [...await listOwned(kv, user), ...await listJoined(kv, user)]
        .toSorted((a, b) => b.head.updatedAt - a.head.updatedAt)
        .map((graph) => ({ ...listed(graph), ...roleIn(graph) })),
    remove: (graph) => remove(deps, graph),
    reset: (graph) => reset(deps, graph),
  };
}

async function create(
  deps: GraphsDeps,
  most: number,
  user: UserId,
  body: NewGraph,
): Promise<CreateOutcome> {
  const graph = newGraphId();
  const meta = metaOf(user, body, deps.now());
  return await untilSettled<CreateOutcome>(`create graph ${graph}`, async () => {
    const owned = await countOwned(deps.kv, user, most);
    const refusal = owned.count >= most
      ? "too many"
      : body.onlyOfName && await isNameTaken(deps.kv, user, meta.name)
      ? "name taken"
      : undefined;
    if (refusal !== undefined) {
      // By an attempt before this one, whose outcome was unknown.
      const isThere = await readHead(deps.kv, graph) !== undefined;
      return { done: isThere ? { kind: "created", graph } : { kind: refusal } };
    }
    return await attemptCreate(deps, graph, meta, owned);
  });
}

async function attemptCreate(
  { kv }: GraphsDeps,
  graph: GraphId,
  meta: GraphMeta,
  owned: OwnedCount,
): Promise<Attempt<CreateOutcome>> {
  const outcome = await createGraph(kv, graph, meta, {
    owned,
    checksum: meta.e2ee === undefined ? undefined : EMPTY_CHECKSUM,
  });
  if (outcome.kind === "committed") return { done: { kind: "created", graph } };
  // The id is new, so if the graph is there, it was this call that made it.
  if (await readHead(kv, graph) !== undefined) return { done: { kind: "created", graph } };
  return { again: outcome };
}

function metaOf(owner: UserId, body: NewGraph, createdAt: number): GraphMeta {
  return {
    owner,
    name: body.graph_name,
    ...typeof body.schema_version === "string" && { schemaVersion: body.schema_version },
    createdAt,
    ...body.e2ee !== undefined && { e2ee: body.e2ee },
    ...body.readyForUse !== undefined && { readyForUse: body.readyForUse },
  };
}

async function remove(deps: GraphsDeps, graph: GraphId): Promise<void> {
  const { kv, now } = deps;
  await untilSettled(`remove graph ${graph}`, async () => {
    const meta = await readMeta(kv, graph);
    const head = await readHead(kv, graph);
    // Both go in one commit: if one is gone, all is.
    if (meta === undefined || head === undefined) return { done: undefined };
    const outcome = await removeGraph(kv, meta, head, now());
    return attempted(outcome, undefined);
  });
  deps.ended?.(graph, "deleted");
  // All markers, not just those of the last head: an import may be under way, and a removal before
  // this one may have been cut off here.
  for await (const { generation } of listGarbage(kv, graph)) {
    await forgetUpload(kv, graph, generation);
    await sweepGeneration(kv, graph, generation);
  }
  await sweepOrphans(kv, graph);
  await removeAssets(deps, graph);
}

async function reset({ kv, now, ended }: GraphsDeps, graph: GraphId): Promise<true | undefined> {
  let left: Head | undefined;
  const done = await untilSettled<true | undefined>(`reset graph ${graph}`, async () => {
    const head = await readHead(kv, graph);
    if (head === undefined) return { done: undefined };
    // An earlier attempt may have been committed, though its outcome was unknown. Or another's
    // reset came first: the graph has been emptied since this call began, which is what was asked.
    if (left !== undefined && left.log !== head.log) return { done: true };
    left = head;
    const outcome = await commitHead(kv, head, {
      ...begun(newGeneration()),
      updatedAt: now(),
      ...checksumLost(head),
    }, { sets: markGarbage(graph, generationsOf(head), now()) });
    return attempted(outcome, true);
  });
  if (done && left !== undefined) {
    ended?.(graph, "reset");
    for (const generation of generationsOf(left)) await trySweep(kv, graph, generation);
  }
  return done;
}

function listed({ graph, meta, head }: GraphAtHead): Omit<ListedFor, keyof RoleInGraph> {
  const { name, schemaVersion } = meta;
  return {
    "graph_id": graph,
    "graph_name": name,
    ...schemaVersion !== undefined && { "schema_version": schemaVersion },
    "created_at": meta.createdAt,
    "updated_at": head.updatedAt,
    "graph-id": graph,
    "graph-name": name,
    ...schemaVersion !== undefined && { "schema-version": schemaVersion },
    "graph-e2ee?": meta.e2ee ?? false,
    "graph-ready-for-use?": meta.readyForUse ?? true,
    "created-at": meta.createdAt,
    "updated-at": head.updatedAt,
  };
}

/** What the user is to a graph of his list, as today's clients read it. */
function roleIn(graph: GraphAtHead | JoinedGraph): RoleInGraph {
  if (!("member" in graph)) return { role: "manager" };
  return { "role": graph.member.role, "invited-by": graph.member.invitedBy };
}
