/** Keys of users and graphs (upstream.md §1.13): kept for clients, opaque to the server. */
import { readGraphKey, readKeyPair, writeGraphKey, writeKeyPair } from "../kv/e2ee_keys.ts";
import { readCircle } from "../kv/members.ts";
import { findByEmail } from "../kv/users.ts";
import type { Email, GraphId, UserId } from "../protocol/ids.ts";
import type { Grant, KeyPair } from "../protocol/today/e2ee.ts";
import { attempted, untilSettled } from "./settle.ts";

/** `forbidden`: the user is not, or no longer, what it takes. `not found`: no such graph. */
export type KeyRefusal = "not found" | "forbidden";

export interface Keys {
  readonly pairOf: (user: UserId) => Promise<KeyPair | undefined>;
  readonly setPair: (user: UserId, pair: KeyPair) => Promise<void>;
  /** `undefined`: no such user, or he has no keys. */
  readonly publicKeyOf: (email: Email) => Promise<string | undefined>;
  /** The graph's key, encrypted for this user. */
  readonly graphKeyOf: (graph: GraphId, user: UserId) => Promise<string | undefined>;
  /** A member keeps his own copy of the graph's key. */
  readonly setGraphKey: (
    graph: GraphId,
    user: UserId,
    key: string,
  ) => Promise<"done" | KeyRefusal>;
  /**
   * A manager gives other members their copies, one after the other; each is there or not, and all
   * may be given again. Answers the e-mails that no member has.
   */
  readonly grant: (
    graph: GraphId,
    by: UserId,
    grants: readonly Grant[],
  ) => Promise<{ readonly missing: readonly string[] } | KeyRefusal>;
}

/** Reads nothing yet. */
export function openKeys(kv: Deno.Kv): Keys {
  return {
    pairOf: (user) => readKeyPair(kv, user),
    setPair: (user, pair) => writeKeyPair(kv, user, pair),
    publicKeyOf: async (email) => {
      const user = await findByEmail(kv, email);
      return user === undefined ? undefined : (await readKeyPair(kv, user))?.["public-key"];
    },
    graphKeyOf: (graph, user) => readGraphKey(kv, graph, user),
    setGraphKey: (graph, user, key) => setGraphKey(kv, graph, user, key),
    grant: (graph, by, grants) => grantAll(kv, graph, by, grants),
  };
}

async function setGraphKey(
  kv: Deno.Kv,
  graph: GraphId,
  user: UserId,
  key: string,
): Promise<"done" | KeyRefusal> {
  return await untilSettled<"done" | KeyRefusal>(`set a key of ${graph}`, async () => {
    const circle = await readCircle(kv, graph, [user]);
    if (circle === undefined) return { done: "not found" };
    if (circle.standings[0]?.role === undefined) return { done: "forbidden" };
    const outcome = await writeGraphKey(kv, circle, user, key);
    return attempted(outcome, "done");
  });
}

async function grantAll(
  kv: Deno.Kv,
  graph: GraphId,
  by: UserId,
  grants: readonly Grant[],
): Promise<{ readonly missing: readonly string[] } | KeyRefusal> {
  const circle = await readCircle(kv, graph, [by]);
  if (circle === undefined) return "not found";
  if (circle.standings[0]?.role !== "manager") return "forbidden";
  const missing: string[] = [];
  for (const { asked, email, key } of grants) {
    const user = email && await findByEmail(kv, email);
    const answer = user === undefined ? "missing" : await grantOne(kv, graph, by, user, key);
    if (answer === "not found" || answer === "forbidden") return answer;
    if (answer === "missing") missing.push(asked);
  }
  return { missing };
}

async function grantOne(
  kv: Deno.Kv,
  graph: GraphId,
  by: UserId,
  user: UserId,
  key: string,
): Promise<"done" | "missing" | KeyRefusal> {
  return await untilSettled<"done" | "missing" | KeyRefusal>(
    `grant a key of ${graph}`,
    async () => {
      const circle = await readCircle(kv, graph, [by, user]);
      if (circle === undefined) return { done: "not found" };
      const [caller, target] = circle.standings;
      if (caller?.role !== "manager") return { done: "forbidden" };
      if (target?.role === undefined) return { done: "missing" };
      const outcome = await writeGraphKey(kv, circle, user, key);
      return attempted(outcome, "done");
    },
  );
}
