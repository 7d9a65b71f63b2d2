import assert from "node:assert/strict";
import type { GraphId, UserId } from "../../protocol/ids.ts";
import type { NewGraph } from "../../protocol/new_graph.ts";
import type { Graphs } from "../../sync/graphs.ts";

/** As many as no test makes. */
const MANY = 1000;

/** A graph that nothing stands in the way of. */
export async function created(graphs: Graphs, user: UserId, body: NewGraph): Promise<GraphId> {
  const outcome = await graphs.create(MANY, user, body);
  assert.ok(outcome.kind === "created", outcome.kind);
  return outcome.graph;
}
