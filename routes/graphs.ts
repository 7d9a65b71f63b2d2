/** `/graphs`: the caller's graphs. Behind `authenticate`. */
import { Hono } from "hono";
import { parseNewGraph } from "../protocol/new_graph.ts";
import type { CreateGraphAnswer } from "../protocol/today/http.ts";
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
    const asked = parseNewGraph(body.value);
    if (asked === undefined) return refuse(c, "invalid body");
    const graph = await graphs.create(c.get("user"), asked.graph);
    if (graph === undefined) return refuse(c, "too many graphs");
    if (asked.dialect === "seed") return c.json({ graph_id: graph });
    return c.json(
      {
        "graph-id": graph,
        "graph-e2ee?": asked.graph.e2ee,
        "graph-ready-for-use?": asked.graph.readyForUse,
      } satisfies CreateGraphAnswer,
    );
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
    return c.json({ "graph_id": graph, "graph-id": graph, "deleted": true });
  });
  return routes;
}
