/** `/graphs`: the caller's graphs. Behind `authenticate`. */
import { Hono } from "hono";
import { createGraphBodySchema } from "../protocol/http.ts";
import type { Authenticated } from "./authenticate.ts";
import { graphAccess, type WithGraph } from "./graph_access.ts";
import { jsonBody } from "./json_body.ts";
import { refuse } from "./refuse.ts";
import type { GraphServices, Services } from "./services.ts";

export function graphRoutes(
  { graphs, limits }: Pick<Services, "graphs" | "limits">,
): Hono<Authenticated> {
  const routes = new Hono<Authenticated>();
  routes.get("/", async (c) => c.json({ graphs: await graphs.list(c.get("user")) }));

  routes.post("/", jsonBody(limits.maxBodyBytes), async (c) => {
    const body = c.get("body");
    if (body.kind === "missing") return refuse(c, "missing body");
    if (body.kind === "malformed") return refuse(c, "invalid body");
    const wanted = createGraphBodySchema.safeParse(body.value);
    if (!wanted.success) return refuse(c, "invalid body");
    const graph = await graphs.create(c.get("user"), wanted.data);
    return graph === undefined ? refuse(c, "too many graphs") : c.json({ graph_id: graph });
  });

  routes.route("/:id", graphRoute(graphs));
  return routes;
}

/** `/graphs/:graph-id`: one graph, of which the caller has to be the owner. */
function graphRoute(graphs: GraphServices): Hono<WithGraph> {
  const routes = new Hono<WithGraph>();
  routes.use("/*", graphAccess(graphs.access));
  routes.get("/access", (c) => c.json({ ok: true }));
  routes.delete("/", async (c) => {
    const graph = c.get("graph");
    await graphs.remove(graph);
    return c.json({ graph_id: graph, deleted: true });
  });
  return routes;
}
