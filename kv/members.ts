/**
 * Who may use a graph beside its creator. The creator is in the graph's meta and nowhere else, so no
 * change of members can touch his rights, and a graph always has a manager. Each member is kept twice,
 * by graph and by user, in one commit; what is left of a removed graph's is found by its marker.
 */
import { z } from "zod";
import { userIdSchema } from "../protocol/id_schema.ts";
import type { GraphId, UserId } from "../protocol/ids.ts";
import { type Role, roleSchema } from "../protocol/role.ts";
import { checkOf, type KvSet, objectSet, type Outcome } from "./change.ts";
import { commit, commitOrThrow, deleteRange } from "./commit.ts";
import { type GraphAtHead, type GraphMeta, parseMeta, readGraphs } from "./graphs.ts";
import { getAll } from "./get_many.ts";
import {
  downloadKey,
  downloadsPrefix,
  graphKey,
  graphKeyKey,
  graphKeysPrefix,
  memberKey,
  membershipKey,
  membershipsPrefix,
  membersPrefix,
  orphansKey,
  orphansPrefix,
  parseMemberKey,
  parseMembershipKey,
  parseOrphansKey,
  peopleKey,
  presentPrefix,
} from "./keys.ts";
import { GET_MANY_KEYS } from "./limits.ts";
import { listPlaces } from "./list.ts";
import { parseFound, parseStored, soundOf } from "./stored.ts";

const memberSchema = z.object({
  role: roleSchema,
  invitedBy: userIdSchema,
  createdAt: z.int().nonnegative(),
});

/** One who was invited; `createdAt` in ms since the epoch. */
export type Member = Readonly<z.output<typeof memberSchema>>;

/** What a user is to a graph: its creator, a member, or nobody. */
export interface Standing {
  readonly user: UserId;
  /** `undefined`: the user has no access. */
  readonly role: Role | undefined;
  /** `undefined` for the creator, and for who is nobody. */
  readonly member: Member | undefined;
  readonly isCreator: boolean;
}

/** Some users of a graph as of one moment. Comes only from a read. */
export interface Circle {
  readonly graph: GraphId;
  readonly meta: GraphMeta;
  /** In the order in which they were asked for. */
  readonly standings: readonly Standing[];
  /** Holds as long as the graph is there and all of them are what they are. */
  readonly guard: readonly Deno.AtomicCheck[];
  /** Holds as long as nobody was added, put out, came or went. */
  readonly peopleGuard: Deno.AtomicCheck;
}

/** Users of one circle; with the graph's own keys as many as one read takes. */
export const CIRCLE_USERS = GET_MANY_KEYS - 2;

/**
 * What these users are to the graph; `undefined`: there is no such graph. One strong read.
 *
 * @param users at most CIRCLE_USERS
 * @throws {CorruptValueError}
 */
export async function readCircle(
  kv: Deno.Kv,
  graph: GraphId,
  users: readonly UserId[],
): Promise<Circle | undefined> {
  const keys = [graphKey(graph), peopleKey(graph), ...users.map((user) => memberKey(graph, user))];
  const [metaEntry, people, ...entries] = await kv.getMany<unknown[]>(keys);
  const meta = metaEntry && parseMeta(metaEntry);
  if (metaEntry === undefined || people === undefined || meta === undefined) return undefined;
  const standings = users.map((user, i) => standingOf(meta, user, entries[i]));
  const guard = [metaEntry, ...entries].map(checkOf);
  return { graph, meta, standings, guard, peopleGuard: checkOf(people) };
}

/**
 * Makes a user of the circle a member, or another kind of one. Conflicts with every other change of
 * the graph's people, so that what was counted before stays so.
 */
export async function putMember(
  kv: Deno.Kv,
  circle: Circle,
  user: UserId,
  member: Member,
): Promise<Outcome> {
  const { graph, guard, peopleGuard } = circle;
  return await commit(kv, {
    sets: [
      objectSet(memberKey(graph, user), member),
      objectSet(membershipKey(user, graph), true),
      peopleSet(graph),
    ],
    checks: [...guard, peopleGuard],
  });
}

/** Puts a user of the circle out, and takes his key of the graph. All instances hear of it. */
export async function removeMember(
  kv: Deno.Kv,
  circle: Circle,
  user: UserId,
): Promise<Outcome> {
  const { graph, guard } = circle;
  return await commit(kv, {
    sets: [peopleSet(graph)],
    deletes: [
      memberKey(graph, user),
      membershipKey(user, graph),
      graphKeyKey(graph, user),
      downloadKey(graph, user, "told"),
      downloadKey(graph, user, "served"),
    ],
    checks: guard,
  });
}

/** Moves the key that instances watch (watch.ts). */
export function peopleSet(graph: GraphId): KvSet {
  return objectSet(peopleKey(graph), true);
}

/**
 * The graph's members without its creator, by their ids.
 *
 * @throws {CorruptValueError}
 */
export async function listMembers(
  kv: Deno.Kv,
  graph: GraphId,
): Promise<readonly { readonly user: UserId; readonly member: Member }[]> {
  const places = listPlaces(kv, { prefix: membersPrefix(graph) }, parseMemberKey);
  return await Array.fromAsync(
    places,
    ([{ user }, { key, value }]) => ({ user, member: parseStored(memberSchema, key, value) }),
  );
}

/** A graph, and what a user is to it who was invited. */
export interface JoinedGraph extends GraphAtHead {
  readonly member: Member;
}

/**
 * The graphs that a user was invited to, in no order to rely on. One that is damaged, or of which what
 * he is there is, is logged and left out: it keeps him from none of his others.
 *
 * Cost: three reads for 10 graphs, and the index.
 *
 * @throws {CorruptValueError} a key is none of the index
 */
export async function listJoined(kv: Deno.Kv, user: UserId): Promise<readonly JoinedGraph[]> {
  const members = new Map<GraphId, Member>();
  const ids = await listJoinedIds(kv, user);
  const entries = await getAll(kv, ids.map((graph) => memberKey(graph, user)));
  for (const [i, graph] of ids.entries()) {
    const entry = entries[i];
    const member = entry && soundOf(entry, parseMember);
    if (member !== undefined) members.set(graph, member);
  }
  const graphs = await readGraphs(kv, [...members.keys()]);
  return graphs.flatMap((graph) => {
    const member = members.get(graph.graph);
    return member === undefined ? [] : [{ ...graph, member }];
  });
}

/**
 * Deletes what is left of a removed graph's people: members, their keys of it, who is present, how far
 * downloads are. If it is cut off, the marker is still there.
 *
 * @throws {Error} a commit isn't known to have succeeded
 */
export async function sweepOrphans(kv: Deno.Kv, graph: GraphId): Promise<void> {
  for (const { user } of await listMembers(kv, graph)) {
    const deletes = [memberKey(graph, user), membershipKey(user, graph)];
    await commitOrThrow(kv, { deletes });
  }
  await deleteRange(kv, graphKeysPrefix(graph));
  await deleteRange(kv, presentPrefix(graph));
  await deleteRange(kv, downloadsPrefix(graph));
  await commitOrThrow(kv, { deletes: [orphansKey(graph)] });
}

/**
 * Removed graphs of which people may be left.
 *
 * @throws {CorruptValueError}
 */
export async function* listOrphans(kv: Deno.Kv): AsyncGenerator<GraphId> {
  const markers = listPlaces(kv, { prefix: orphansPrefix() }, parseOrphansKey);
  for await (const [graph] of markers) yield graph;
}

async function listJoinedIds(kv: Deno.Kv, user: UserId): Promise<readonly GraphId[]> {
  const places = listPlaces(kv, { prefix: membershipsPrefix(user) }, parseMembershipKey);
  return await Array.fromAsync(places, ([{ graph }]) => graph);
}

function standingOf(
  meta: GraphMeta,
  user: UserId,
  entry: Deno.KvEntryMaybe<unknown> | undefined,
): Standing {
  if (meta.owner === user) return { user, role: "manager", member: undefined, isCreator: true };
  const member = parseMember(entry);
  return { user, role: member?.role, member, isCreator: false };
}

function parseMember(entry: Deno.KvEntryMaybe<unknown> | undefined): Member | undefined {
  return entry && parseFound(memberSchema, entry);
}
