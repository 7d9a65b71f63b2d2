import assert from "node:assert/strict";
import { accessTo, type GraphAccess } from "../../auth/access.ts";
import { newGraphId, parseUserId } from "../../protocol/ids.ts";
import { roles } from "../../protocol/role.ts";

const alice = parseUserId("alice");
assert.ok(alice !== undefined);
const user = alice;

function lookUp(access: GraphAccess): () => Promise<GraphAccess> {
  return () => Promise.resolve(access);
}

Deno.test("Who has a role in a graph may touch it", async () => {
  const graph = newGraphId();
  for (const role of roles) {
    const access = { ok: true, graph, role };
    assert.deepEqual(await accessTo(lookUp(role), user, graph), access);
    assert.deepEqual(await accessTo(lookUp(role), user, graph.toUpperCase()), access);
  }
});

Deno.test("Another's graph is forbidden, one that is not there is not found", async () => {
  assert.deepEqual(await accessTo(lookUp("forbidden"), user, newGraphId()), {
    ok: false,
    refusal: "forbidden",
  });
  assert.deepEqual(await accessTo(lookUp("missing"), user, newGraphId()), {
    ok: false,
    refusal: "not found",
  });
});

Deno.test("What is no UUID is not found, and not looked up", async () => {
  const never = (): Promise<GraphAccess> => Promise.reject(new Error("was looked up"));
  assert.deepEqual(await accessTo(never, user, "notes"), { ok: false, refusal: "not found" });
});
