/** Which graph is meant, and may this user touch it: everything behind this has a graph. */
import type { MiddlewareHandler } from "hono";
import { accessTo, type LookUpAccess } from "../auth/access.ts";
import type { GraphId, UserId } from "../protocol/ids.ts";
import type { Role } from "../protocol/role.ts";
import type { WithShare } from "./body_share.ts";
import { refuse } from "./refuse.ts";

/** What a route behind `graphAccess` can read. */
export interface WithGraph {
  Variables: WithShare["Variables"] & { graph: GraphId; role: Role };
}

/**
 * For paths with `:id`, behind `authenticate`: 404 and 403 as accessTo says; else sets `graph` and `role`. Once more
 * behind `answersAtOnce`: a user's turn may come as late as he likes, and meanwhile he may have been put out.
 */
export function graphAccess(lookUp: LookUpAccess): MiddlewareHandler<WithGraph> {
  return async function checkGraphAccess(c, next): Promise<Response | void> {
    const access = await accessTo(lookUp, c.get("user"), c.req.param("id") ?? "");
    if (!access.ok) return refuse(c, access.refusal);
    c.set("graph", access.graph);
    c.set("role", access.role);
    await next();
  };
}

/**
 * Why the user may not go on with what he began, if he may not. To be asked once a body is there: it
 * takes as long as its client likes, and meanwhile he may have been put out.
 */
export async function refusalNow(
  lookUp: LookUpAccess,
  user: UserId,
  graph: GraphId,
  needed: Role,
): Promise<"not found" | "forbidden" | undefined> {
  const access = await accessTo(lookUp, user, graph);
  if (!access.ok) return access.refusal;
  return needed === "member" || access.role === "manager" ? undefined : "forbidden";
}

/** Behind `graphAccess`: 403 for a member that is no manager. Whatever takes something from others. */
export function managersOnly(): MiddlewareHandler<WithGraph> {
  return async function checkRole(c, next): Promise<Response | void> {
    if (c.get("role") !== "manager") return refuse(c, "forbidden");
    await next();
  };
}
