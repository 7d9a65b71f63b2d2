/** The head of a graph that was just made. */
import assert from "node:assert/strict";
import { createGraph } from "../../kv/graphs.ts";
import { type Head, readHead } from "../../kv/head.ts";
import { newGraphId } from "../../protocol/ids.ts";
import { userOf } from "./user.ts";

/** A new graph of alice's. */
export async function newHead(kv: Deno.Kv): Promise<Head> {
  const graph = newGraphId();
  await createGraph(kv, graph, { owner: userOf("alice"), name: "notes", createdAt: 0 });
  const head = await readHead(kv, graph);
  assert.ok(head !== undefined);
  return head;
}
