/** A graph to be made, in whichever dialect it is asked for. */
import { type CreateGraphBody, createGraphBodySchema } from "./http.ts";
import { createGraphBodySchema as todaysBodySchema } from "./today/http.ts";

/** What is to be made; the flags are those of kv/graphs.ts, and only today's clients have them. */
export interface NewGraph extends CreateGraphBody {
  readonly e2ee?: boolean;
  readonly readyForUse?: boolean;
  /**
   * Whether its owner may have no other of this name: today's clients look at that before they ask,
   * and of two they list one.
   */
  readonly onlyOfName?: boolean;
}

/** A body of `POST /graphs`, and the dialect to answer it in. */
export type AskedGraph =
  | { readonly dialect: "seed"; readonly graph: CreateGraphBody }
  | { readonly dialect: "today"; readonly graph: Required<NewGraph> };

/** Told by the name's key; of a body with both it is today's. `undefined`: it is in no dialect. */
export function parseNewGraph(body: unknown): AskedGraph | undefined {
  const today = todaysBodySchema.safeParse(body);
  if (today.success) {
    const graph = {
      graph_name: today.data["graph-name"],
      schema_version: today.data["schema-version"],
      e2ee: today.data["graph-e2ee?"],
      readyForUse: today.data["graph-ready-for-use?"],
      onlyOfName: true,
    };
    return { dialect: "today", graph };
  }
  const seed = createGraphBodySchema.safeParse(body);
  return seed.success ? { dialect: "seed", graph: seed.data } : undefined;
}
