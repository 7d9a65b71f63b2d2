/**
 * Members of a graph: who may invite, change and put out whom (upstream.md §1.2, §1.14). Who asks is
 * looked at in the same read as whom it is about, and the commit holds both to it: who is put out
 * meanwhile changes nothing any more. The creator is none of these: his rights are the graph's own.
 */
import {
  type Circle,
  listMembers,
  type Member,
  putMember,
  readCircle,
  removeMember,
} from "../kv/members.ts";
import { findByEmail, type Profile, readProfiles } from "../kv/users.ts";
import type { Email, GraphId, UserId } from "../protocol/ids.ts";
import type { Role } from "../protocol/role.ts";
import type { ListedMember } from "../protocol/today/members.ts";
import { type Attempt, attempted, untilSettled } from "./settle.ts";

/** Of one graph, without its creator. */
export const MAX_MEMBERS = 1000;

export interface MembersDeps {
  readonly kv: Deno.Kv;
  /** Ms since the epoch. */
  readonly now: () => number;
  /** Someone was put out; `version` as in PeopleNews. */
  readonly removed: (graph: GraphId, version: string) => Promise<void>;
}

/** `not found`: there is no such graph. `user not found`: no such user, or he is no member. */
export type MemberRefusal = "not found" | "forbidden" | "user not found" | "too many members";
export type MemberAnswer = "done" | MemberRefusal;

/** A user by his id, or by the e-mail address that his last token said. */
export type Whom = { readonly id: UserId } | { readonly email: Email };

/** What can be done with members. `by` is who asks; each call may be made again. */
export interface Members {
  /** The creator, then the others; `undefined`: there is no such graph. */
  readonly list: (graph: GraphId) => Promise<readonly ListedMember[] | undefined>;
  /** A manager invites. Without a role whoever is a member stays what he is. */
  readonly add: (
    graph: GraphId,
    by: UserId,
    whom: Whom,
    role: Role | undefined,
  ) => Promise<MemberAnswer>;
  /** A manager says what a member is from now on. The creator stays a manager. */
  readonly setRole: (graph: GraphId, by: UserId, user: UserId, role: Role) => Promise<MemberAnswer>;
  /** A manager puts out a member that is no manager; a member that is none goes by himself. */
  readonly remove: (graph: GraphId, by: UserId, user: UserId) => Promise<MemberAnswer>;
}

/** Reads nothing yet. */
export function openMembers(deps: MembersDeps): Members {
  return {
    list: (graph) => list(deps.kv, graph),
    add: (graph, by, whom, role) => add(deps, graph, by, whom, role),
    setRole: (graph, by, user, role) => setRole(deps, graph, by, user, role),
    remove: (graph, by, user) => remove(deps, graph, by, user),
  };
}

async function list(kv: Deno.Kv, graph: GraphId): Promise<readonly ListedMember[] | undefined> {
  const circle = await readCircle(kv, graph, []);
  if (circle === undefined) return undefined;
  const { owner, createdAt } = circle.meta;
  const members = await listMembers(kv, graph);
  const users = [owner, ...members.map(({ user }) => user)];
  const [ofOwner, ...profiles] = await readProfiles(kv, users);
  return [
    listed(graph, owner, { role: "manager", createdAt }, ofOwner),
    ...members.map(({ user, member }, i) => listed(graph, user, member, profiles[i])),
  ];
}

async function add(
  deps: MembersDeps,
  graph: GraphId,
  by: UserId,
  whom: Whom,
  role: Role | undefined,
): Promise<MemberAnswer> {
  const { kv } = deps;
  return await untilSettled<MemberAnswer>(`add a member to ${graph}`, async () => {
    const user = await find(kv, whom);
    const circle = await readCircle(kv, graph, user === undefined ? [by] : [by, user]);
    if (circle === undefined) return { done: "not found" };
    if (circle.standings[0]?.role !== "manager") return { done: "forbidden" };
    if (user === undefined) return { done: "user not found" };
    const wanted = role ?? circle.standings[1]?.role ?? "member";
    return await put(deps, circle, by, user, wanted);
  });
}

async function setRole(
  deps: MembersDeps,
  graph: GraphId,
  by: UserId,
  user: UserId,
  role: Role,
): Promise<MemberAnswer> {
  return await untilSettled<MemberAnswer>(`change a member of ${graph}`, async () => {
    const circle = await readCircle(deps.kv, graph, [by, user]);
    if (circle === undefined) return { done: "not found" };
    const [caller, target] = circle.standings;
    if (caller?.role !== "manager") return { done: "forbidden" };
    if (target?.role === undefined) return { done: "user not found" };
    return await put(deps, circle, by, user, role);
  });
}

/** @param circle of the one who asks, and of `user` */
async function put(
  { kv, now }: MembersDeps,
  circle: Circle,
  by: UserId,
  user: UserId,
  role: Role,
): Promise<Attempt<MemberAnswer>> {
  const target = circle.standings[1];
  if (target?.role === role) return { done: "done" };
  if (target?.isCreator) return { done: "forbidden" };
  const before = target?.member;
  if (before === undefined && (await listMembers(kv, circle.graph)).length >= MAX_MEMBERS) {
    return { done: "too many members" };
  }
  const member = before === undefined
    ? { role, invitedBy: by, createdAt: now() }
    : { ...before, role };
  return attempted(await putMember(kv, circle, user, member), "done");
}

async function remove(
  { kv, removed }: MembersDeps,
  graph: GraphId,
  by: UserId,
  user: UserId,
): Promise<MemberAnswer> {
  /** Of an attempt, which may have been committed whatever its outcome (commit.ts). */
  let version: string | undefined;
  const answer = await untilSettled<MemberAnswer>(`remove a member of ${graph}`, async () => {
    const circle = await readCircle(kv, graph, [by, user]);
    if (circle === undefined) return { done: "not found" };
    const [caller, target] = circle.standings;
    // Who goes by himself is nobody when his attempt is found done.
    if (target?.role === undefined && version !== undefined) return { done: "done" };
    const bySelf = by === user && caller?.role === "member";
    if (!bySelf && caller?.role !== "manager") return { done: "forbidden" };
    if (target?.role === "manager") return { done: "forbidden" };
    if (target?.role === undefined) return { done: "done" };
    const outcome = await removeMember(kv, circle, user);
    version = outcome.kind === "committed" ? outcome.versionstamp : crypto.randomUUID();
    return attempted(outcome, "done");
  });
  if (version !== undefined) await removed(graph, version);
  return answer;
}

async function find(kv: Deno.Kv, whom: Whom): Promise<UserId | undefined> {
  if ("email" in whom) return await findByEmail(kv, whom.email);
  const [profile] = await readProfiles(kv, [whom.id]);
  return profile && whom.id;
}

function listed(
  graph: GraphId,
  user: UserId,
  { role, invitedBy, createdAt }: Omit<Member, "invitedBy"> & Partial<Member>,
  profile: Profile | undefined,
): ListedMember {
  return {
    "user-id": user,
    "graph-id": graph,
    role,
    ...invitedBy !== undefined && { "invited-by": invitedBy },
    "created-at": createdAt,
    ...profile?.email !== undefined && { email: profile.email },
    ...profile?.username !== undefined && { username: profile.username },
  };
}
