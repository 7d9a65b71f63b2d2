import assert from "node:assert/strict";
import fc from "fast-check";
import { openBlobStores } from "../../assets/open.ts";
import { objectSet } from "../../kv/change.ts";
import { writeInCommits } from "../../kv/commit.ts";
import { createGraph, readMeta, removeGraph } from "../../kv/graphs.ts";
import { readHead } from "../../kv/head.ts";
import {
  graphKeysPrefix,
  memberKey,
  membershipKey,
  membersPrefix,
  parseMemberKey,
  parseMembershipKey,
} from "../../kv/keys.ts";
import { listJoined, putMember, readCircle, removeMember } from "../../kv/members.ts";
import { writeProfile } from "../../kv/users.ts";
import { type GraphId, newGraphId, type UserId } from "../../protocol/ids.ts";
import { type Role, roles } from "../../protocol/role.ts";
import { openKeys } from "../../sync/e2ee.ts";
import { openGraphs } from "../../sync/graphs.ts";
import { MAX_MEMBERS, type MemberAnswer, type Members, openMembers } from "../../sync/members.ts";
import { sweepPeople } from "../../sync/sweep.ts";
import { keysOf, withCommit } from "../support/kv.ts";
import { loggedBy } from "../support/log.ts";
import { userOf } from "../support/user.ts";

const [carol, max, mia, sam] = [userOf("carol"), userOf("max"), userOf("mia"), userOf("sam")];
const USERS = [carol, max, mia, sam];
const now = (): number => 5;

/** carol's graph, in a store that has seen all users. */
async function newGraph(kv: Deno.Kv): Promise<GraphId> {
  const graph = newGraphId();
  await createGraph(kv, graph, { owner: carol, name: "notes", createdAt: 1 });
  for (const user of USERS) await writeProfile(kv, user, {});
  return graph;
}

/** @param removed hears of each removal */
function open(kv: Deno.Kv, removed: string[] = []): Members {
  return openMembers({
    kv,
    now,
    removed: (graph) => {
      removed.push(graph);
      return Promise.resolve();
    },
  });
}

async function rolesOf(members: Members, graph: GraphId): Promise<Record<string, Role>> {
  const list = await members.list(graph) ?? [];
  return Object.fromEntries(list.map((member) => [member["user-id"], member.role]));
}

/** Each member is kept by graph and by user, and only who has access has a key. */
async function assertWhole(kv: Deno.Kv, graph: GraphId): Promise<void> {
  const keys = await keysOf(kv);
  const byGraph = keys.flatMap((key) => parseMemberKey(key) ?? []);
  const byUser = keys.flatMap((key) => parseMembershipKey(key) ?? []);
  const inOrder = (places: typeof byGraph): readonly string[] =>
    places.map((place) => `${place.graph} ${place.user}`).toSorted();
  assert.deepEqual(inOrder(byUser), inOrder(byGraph));
  assert.ok(byGraph.every(({ user }) => user !== carol));
  const mayHaveKey = new Set<unknown>([carol, ...byGraph.map(({ user }) => user)]);
  for await (const { key } of kv.list({ prefix: graphKeysPrefix(graph) })) {
    assert.ok(mayHaveKey.has(key[2]), JSON.stringify(key));
  }
}

interface Operation {
  readonly kind: "add" | "setRole" | "remove" | "key";
  readonly by: UserId;
  readonly user: UserId;
  readonly role: Role;
}

const operations: fc.Arbitrary<Operation> = fc.record({
  kind: fc.constantFrom("add", "setRole", "remove", "key"),
  by: fc.constantFrom(...USERS),
  user: fc.constantFrom(...USERS),
  role: fc.constantFrom(...roles),
}, { noNullPrototype: true });

async function run(kv: Deno.Kv, graph: GraphId, operation: Operation): Promise<unknown> {
  const members = open(kv);
  const { kind, by, user, role } = operation;
  switch (kind) {
    case "add":
      return await members.add(graph, by, { id: user }, role);
    case "setRole":
      return await members.setRole(graph, by, user, role);
    case "remove":
      return await members.remove(graph, by, user);
    case "key":
      return await openKeys(kv).setGraphKey(graph, by, "key");
  }
}

/** The rules again, on a plain record, in the order of the table (upstream.md §1.2). */
function expected(now: Record<string, Role>, operation: Operation): MemberAnswer {
  const { kind, by, user, role } = operation;
  if (kind === "key") return now[by] === undefined ? "forbidden" : "done";
  if (kind === "remove" && by === user && now[by] === "member") {
    delete now[user];
    return "done";
  }
  if (now[by] !== "manager") return "forbidden";
  if (kind === "remove") {
    if (now[user] === "manager") return "forbidden";
    delete now[user];
    return "done";
  }
  if (kind === "setRole" && now[user] === undefined) return "user not found";
  if (user === carol && role !== "manager") return "forbidden";
  now[user] = role;
  return "done";
}

Deno.test("No sequence of operations leaves a graph without a manager or half a member, or breaks a rule", async () => {
  using kv = await Deno.openKv(":memory:");
  await fc.assert(
    fc.asyncProperty(fc.array(operations, { maxLength: 25 }), async (sequence) => {
      const graph = await newGraph(kv);
      const model: Record<string, Role> = { carol: "manager" };
      for (const operation of sequence) {
        const answer = expected(model, operation);
        assert.equal(await run(kv, graph, operation), answer);
        assert.deepEqual(await rolesOf(open(kv), graph), model);
      }
      await assertWhole(kv, graph);
      await openGraphs({ kv, stores: openBlobStores(kv), now }).remove(graph);
    }),
    { numRuns: 60 },
  );
});

Deno.test("Operations at once leave a graph with its manager and whole members, whoever comes first", async () => {
  using kv = await Deno.openKv(":memory:");
  await fc.assert(
    fc.asyncProperty(
      fc.array(operations, { minLength: 2, maxLength: 12 }),
      async (together) => {
        const graph = await newGraph(kv);
        await open(kv).add(graph, carol, { id: max }, "manager");
        await open(kv).add(graph, carol, { id: mia }, "member");
        await Promise.all(together.map((operation) => run(kv, graph, operation)));
        await assertWhole(kv, graph);
        assert.equal((await rolesOf(open(kv), graph)).carol, "manager");
        await openGraphs({ kv, stores: openBlobStores(kv), now }).remove(graph);
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("Who was put out since he was looked at changes nothing any more", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const members = open(kv);
  await members.add(graph, carol, { id: max }, "manager");
  const circle = await readCircle(kv, graph, [max, sam]);
  assert.ok(circle !== undefined);
  await members.setRole(graph, carol, max, "member");
  await members.remove(graph, carol, max);
  const member = { role: "manager", invitedBy: max, createdAt: 5 } as const;
  assert.deepEqual(await putMember(kv, circle, sam, member), { kind: "conflict" });
  assert.deepEqual(await removeMember(kv, circle, sam), { kind: "conflict" });
  assert.deepEqual(await rolesOf(members, graph), { carol: "manager" });
});

for (
  const [what, answer] of [
    ["was lost", (): never => {
      throw new Error("connection reset");
    }],
    [
      "is a conflict with itself, which the store's client sent twice",
      (): Deno.KvCommitError => ({ ok: false }),
    ],
  ] as const
) {
  Deno.test(`A removal whose answer ${what} is found done, and heard of`, async () => {
    using kv = await Deno.openKv(":memory:");
    const graph = await newGraph(kv);
    for (const by of [carol, mia]) {
      await open(kv).add(graph, carol, { id: mia }, "member");
      const lossy = withCommit(kv, async (commit, before) => {
        const result = await commit();
        return before === 0 ? answer() : result;
      });
      const removed: string[] = [];
      assert.equal(await open(lossy, removed).remove(graph, by, mia), "done");
      assert.deepEqual(await rolesOf(open(kv), graph), { carol: "manager" });
      assert.deepEqual(removed, [graph]);
    }
  });
}

Deno.test("Nobody joins a graph that is deleted meanwhile", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const circle = await readCircle(kv, graph, [carol, sam]);
  assert.ok(circle !== undefined);
  await openGraphs({ kv, stores: openBlobStores(kv), now }).remove(graph);
  const before = await keysOf(kv);
  const member = { role: "member", invitedBy: carol, createdAt: 5 } as const;
  assert.deepEqual(await putMember(kv, circle, sam, member), { kind: "conflict" });
  assert.deepEqual(await open(kv).add(graph, carol, { id: sam }, "member"), "not found");
  assert.deepEqual(await keysOf(kv), before);
});

Deno.test("What a removal that was cut off left of a graph's people is swept, wherever it was cut", async () => {
  for (let cut = 0; cut < 8; cut++) {
    using kv = await Deno.openKv(":memory:");
    const graph = await newGraph(kv);
    for (const user of [max, mia]) {
      await open(kv).add(graph, carol, { id: user }, "member");
      await openKeys(kv).setGraphKey(graph, user, "key");
    }
    const meta = await readMeta(kv, graph);
    const head = await readHead(kv, graph);
    assert.ok(meta !== undefined && head !== undefined);
    await removeGraph(kv, meta, head, 0);
    const failing = withCommit(kv, (commit, before) => {
      if (before >= cut) throw new Error("the process has ended");
      return commit();
    });
    await openGraphs({ kv: failing, stores: openBlobStores(failing), now }).remove(graph).catch(
      () => {},
    );
    assert.deepEqual(await openGraphs({ kv, stores: openBlobStores(kv), now }).list(mia), []);
    await sweepPeople(kv, now);
    const left = (await keysOf(kv)).filter((key) =>
      key.includes(graph) && !["garbage", "gone"].includes(String(key[0]))
    );
    // Log, rows and files are for sweepGarbage and sweepAssets, by their own markers.
    assert.deepEqual(left, [], `cut at ${cut}`);
  }
});

Deno.test("A graph takes only so many members, also if they come at once", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = await newGraph(kv);
  const others = Array.from({ length: MAX_MEMBERS - 1 }, (_, i) => userOf(`u${i}`));
  const member = { role: "member", invitedBy: carol, createdAt: 5 };
  await writeInCommits(kv, others.map((user) => objectSet(memberKey(graph, user), member)));
  const members = open(kv);
  const answers = await Promise.all(
    [max, mia, sam].map((user) => members.add(graph, carol, { id: user }, "member")),
  );
  assert.deepEqual(answers.toSorted(), ["done", "too many members", "too many members"]);
  // Who is one already can still be changed.
  assert.equal(await members.setRole(graph, carol, userOf("u0"), "manager"), "done");
});

Deno.test("A graph that lists its members lists those of no other graph", async () => {
  using kv = await Deno.openKv(":memory:");
  const [graph, other] = [await newGraph(kv), await newGraph(kv)];
  await open(kv).add(graph, carol, { id: mia }, "member");
  assert.deepEqual(await rolesOf(open(kv), other), { carol: "manager" });
  assert.equal(await open(kv).list(newGraphId()), undefined);
  assert.equal((await Array.fromAsync(kv.list({ prefix: membersPrefix(graph) }))).length, 1);
  assert.equal((await kv.get(membershipKey(mia, graph))).value, true);
});

Deno.test("What a user is to a graph, if that is damaged, is logged, and keeps him from none of his others", async () => {
  using kv = await Deno.openKv(":memory:");
  const [damaged, other] = [await newGraph(kv), await newGraph(kv)];
  for (const graph of [damaged, other]) {
    await open(kv).add(graph, carol, { id: max }, "member");
  }
  await kv.set(memberKey(damaged, max), "no member");
  const logged = await loggedBy(async () => {
    assert.deepEqual((await listJoined(kv, max)).map(({ graph }) => graph), [other]);
  });
  assert.deepEqual(logged.map(({ level, properties }) => [level, properties["key"]]), [
    ["error", memberKey(damaged, max)],
  ]);
});
