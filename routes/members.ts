/** `/graphs/:graph-id/members`: who may use the graph. Behind `graphAccess`. */
import { type Context, Hono } from "hono";
import { parseUserId } from "../protocol/ids.ts";
import { addMemberBodySchema, setRoleBodySchema } from "../protocol/today/members.ts";
import type { MemberAnswer } from "../sync/members.ts";
import { answersAtOnce } from "./answers_at_once.ts";
import { graphAccess, type WithGraph } from "./graph_access.ts";
import { jsonBody } from "./json_body.ts";
import { parseBody } from "./parse_body.ts";
import { refuse } from "./refuse.ts";
import type { Services } from "./services.ts";

export function memberRoutes(
  { graphs, limits, members }: Pick<Services, "graphs" | "limits" | "members">,
): Hono<WithGraph> {
  const routes = new Hono<WithGraph>();
  routes.get("/", answersAtOnce(limits.lists), graphAccess(graphs.access), async (c) => {
    const listed = await members.list(c.get("graph"));
    return listed === undefined ? refuse(c, "not found") : c.json({ members: listed });
  });

  routes.post("/", jsonBody(limits.maxBodyBytes), async (c) => {
    const body = parseBody(addMemberBodySchema, c.get("body"));
    if (!body.ok) return refuse(c, body.refusal);
    const { role, ...whom } = body.value;
    return answer(c, await members.add(c.get("graph"), c.get("user"), whom, role));
  });

  routes.put("/:user", jsonBody(limits.maxBodyBytes), async (c) => {
    const user = parseUserId(c.req.param("user"));
    if (user === undefined) return refuse(c, "user not found");
    const body = parseBody(setRoleBodySchema, c.get("body"));
    if (!body.ok) return refuse(c, body.refusal);
    return answer(
      c,
      await members.setRole(c.get("graph"), c.get("user"), user, body.value.role),
    );
  });

  routes.delete("/:user", async (c) => {
    const user = parseUserId(c.req.param("user"));
    if (user === undefined) return refuse(c, "user not found");
    return answer(c, await members.remove(c.get("graph"), c.get("user"), user));
  });
  return routes;
}

function answer(c: Context, answer: MemberAnswer): Response {
  return answer === "done" ? c.json({ ok: true }) : refuse(c, answer);
}
