import assert from "node:assert/strict";
import { accessTo, type GraphAccess } from "../../auth/access.ts";
import { newGraphId, parseUserId } from "../../protocol/ids.ts";

const alice = parseUserId("alice");
assert.ok(alice !== undefined);
const user = alice;

function lookUp(access: GraphAccess): () => Promise<GraphAccess> {
  return () => Promise.resolve(access);
}

Deno.test("The owner of a graph may touch it", async () => {
  const graph = newGraphId();
  assert.deepEqual(await accessTo(lookUp("ok"), user, graph), { ok: true, graph });
  assert.deepEqual(await accessTo(lookUp("ok"), user, graph.toUpperCase()), { ok: true, graph });
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
