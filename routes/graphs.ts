/** `/graphs`: the caller's graphs. Behind `authenticate`. */
import { Hono } from "hono";
import { createGraphBodySchema } from "../protocol/http.ts";
import type { Authenticated } from "./authenticate.ts";
import { graphAccess, managersOnly, type WithGraph } from "./graph_access.ts";
import { jsonBody } from "./json_body.ts";
import { memberRoutes } from "./members.ts";
import { refuse } from "./refuse.ts";
import type { Services } from "./services.ts";

export function graphRoutes(
  { graphs, keys, limits, members }: Pick<Services, "graphs" | "keys" | "limits" | "members">,
): Hono<Authenticated> {
  const routes = new Hono<Authenticated>();
  routes.get("/", async (c) => {
    const user = c.get("user");
    const hasKeys = await keys.pairOf(user) !== undefined;
    return c.json({ "graphs": await graphs.list(user), "user-rsa-keys-exists?": hasKeys });
  });

  routes.post("/", jsonBody(limits.maxBodyBytes), async (c) => {
    const body = c.get("body");
    if (body.kind === "missing") return refuse(c, "missing body");
    if (body.kind === "malformed") return refuse(c, "invalid body");
    const wanted = createGraphBodySchema.safeParse(body.value);
    if (!wanted.success) return refuse(c, "invalid body");
    const graph = await graphs.create(c.get("user"), wanted.data);
    return graph === undefined ? refuse(c, "too many graphs") : c.json({ graph_id: graph });
  });

  routes.route("/:id", graphRoute({ graphs, limits, members }));
  return routes;
}

/** `/graphs/:graph-id`: one graph, of which the caller has to be a member. */
function graphRoute(
  { graphs, limits, members }: Pick<Services, "graphs" | "limits" | "members">,
): Hono<WithGraph> {
  const routes = new Hono<WithGraph>();
  routes.use("/*", graphAccess(graphs.access));
  routes.get("/access", (c) => c.json({ ok: true }));
  routes.delete("/", managersOnly(), async (c) => {
    const graph = c.get("graph");
    await graphs.remove(graph);
    return c.json({ graph_id: graph, deleted: true });
  });
  routes.route("/members", memberRoutes({ limits, members }));
  return routes;
}
