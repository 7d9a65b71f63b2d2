/** `/graphs`: the caller's graphs. Behind `authenticate`. */
import { Hono } from "hono";
import { parseNewGraph } from "../protocol/new_graph.ts";
import type { CreateGraphAnswer } from "../protocol/today/http.ts";
import { answersAtOnce } from "./answers_at_once.ts";
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
  routes.get("/", answersAtOnce(limits.lists), async (c) => {
    const user = c.get("user");
    const hasKeys = await keys.pairOf(user) !== undefined;
    return c.json({ "graphs": await graphs.list(user), "user-rsa-keys-exists?": hasKeys });
  });

  routes.post("/", jsonBody(limits.maxBodyBytes), async (c) => {
    const body = c.get("body");
    if (body.kind === "missing") return refuse(c, "missing body");
    if (body.kind === "malformed") return refuse(c, "invalid body");
    const asked = parseNewGraph(body.value);
    if (asked === undefined) return refuse(c, "invalid body");
    // Nobody could be given the key of such a graph (upstream.md §1.2).
    const isEncrypted = asked.dialect === "today" && asked.graph.e2ee;
    if (isEncrypted && await keys.pairOf(c.get("user")) === undefined) {
      return refuse(c, "missing user rsa key pair");
    }
    // It may look at the names of all that there are.
    const outcome = await limits.lists.run(
      c.get("user"),
      () => graphs.create(c.get("user"), asked.graph),
    );
    if (outcome.kind === "too many") return refuse(c, "too many graphs");
    if (outcome.kind === "name taken") return refuse(c, "duplicate graph name");
    const { graph } = outcome;
    if (asked.dialect === "seed") return c.json({ graph_id: graph });
    return c.json(
      {
        "graph-id": graph,
        "graph-e2ee?": asked.graph.e2ee,
        "graph-ready-for-use?": asked.graph.readyForUse,
      } satisfies CreateGraphAnswer,
    );
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
    return c.json({ "graph_id": graph, "graph-id": graph, "deleted": true });
  });
  routes.route("/members", memberRoutes({ graphs, limits, members }));
  return routes;
}
