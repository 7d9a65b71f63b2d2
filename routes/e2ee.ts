/** `/e2ee`: keys of users and graphs. Behind `authenticate`. */
import { Hono } from "hono";
import { parseEmail } from "../protocol/ids.ts";
import { grantAccessBodySchema, graphKeySchema, keyPairSchema } from "../protocol/today/e2ee.ts";
import type { Authenticated } from "./authenticate.ts";
import { graphAccess, type WithGraph } from "./graph_access.ts";
import { jsonBody } from "./json_body.ts";
import { parseBody } from "./parse_body.ts";
import { refuse } from "./refuse.ts";
import type { Services } from "./services.ts";

export function e2eeRoutes(
  { graphs, keys, limits }: Pick<Services, "graphs" | "keys" | "limits">,
): Hono<Authenticated> {
  const routes = new Hono<Authenticated>();
  routes.get("/user-keys", async (c) => c.json(await keys.pairOf(c.get("user")) ?? {}));

  routes.post("/user-keys", jsonBody(limits.maxBodyBytes), async (c) => {
    const body = parseBody(keyPairSchema, c.get("body"));
    if (!body.ok) return refuse(c, body.refusal);
    await keys.setPair(c.get("user"), body.value);
    return c.json(body.value);
  });

  routes.get("/user-public-key", async (c) => {
    const email = parseEmail(c.req.query("email"));
    const key = email && await keys.publicKeyOf(email);
    return c.json(key === undefined ? {} : { "public-key": key });
  });

  routes.route("/graphs/:id", graphKeyRoutes({ graphs, keys, limits }));
  return routes;
}

/** `/e2ee/graphs/:graph-id`: the key of one graph, of which the caller has to be a member. */
function graphKeyRoutes(
  { graphs, keys, limits }: Pick<Services, "graphs" | "keys" | "limits">,
): Hono<WithGraph> {
  const routes = new Hono<WithGraph>();
  routes.use("/*", graphAccess(graphs.access));

  routes.get("/aes-key", async (c) => {
    const key = await keys.graphKeyOf(c.get("graph"), c.get("user"));
    return c.json({ "encrypted-aes-key": key ?? null });
  });

  routes.post("/aes-key", jsonBody(limits.maxBodyBytes), async (c) => {
    const body = parseBody(graphKeySchema, c.get("body"));
    if (!body.ok) return refuse(c, body.refusal);
    const key = body.value["encrypted-aes-key"];
    const answer = await keys.setGraphKey(c.get("graph"), c.get("user"), key);
    return answer === "done" ? c.json(body.value) : refuse(c, answer);
  });

  routes.post("/grant-access", jsonBody(limits.maxBodyBytes), async (c) => {
    const body = parseBody(grantAccessBodySchema, c.get("body"));
    if (!body.ok) return refuse(c, body.refusal);
    const answer = await keys.grant(c.get("graph"), c.get("user"), body.value);
    if (typeof answer === "string") return refuse(c, answer);
    return c.json({ "ok": true, "missing-users": answer.missing });
  });
  return routes;
}
