/** Who is asking: everything behind this has a user. */
import type { MiddlewareHandler } from "hono";
import { tokenOf } from "../auth/token.ts";
import type { VerifyToken } from "../auth/verify.ts";
import type { UserId } from "../protocol/ids.ts";
import { withLogFields } from "../telemetry/log.ts";
import { refuse } from "./refuse.ts";

/** What a route behind `authenticate` can read. */
export interface Authenticated {
  Variables: { user: UserId };
}

/** 401 without a good token; else sets `user`, also for the log: a socket's events are in it too. */
export function authenticate(verify: VerifyToken): MiddlewareHandler<Authenticated> {
  return async function authenticateRequest(c, next): Promise<Response | void> {
    const token = tokenOf(c.req.raw);
    const user = token === undefined ? undefined : await verify(token);
    if (user === undefined) return refuse(c, "unauthorized");
    c.set("user", user);
    await withLogFields({ user }, next);
  };
}
