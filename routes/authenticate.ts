/** Who is asking: everything behind this has a user. */
import type { MiddlewareHandler } from "hono";
import { tokenOf } from "../auth/token.ts";
import type { VerifiedUser } from "../auth/user.ts";
import type { VerifyToken } from "../auth/verify.ts";
import type { UserId } from "../protocol/ids.ts";
import { refuse } from "./refuse.ts";

/** What a route behind `authenticate` can read. */
export interface Authenticated {
  Variables: {
    user: UserId;
    /** The same user, with what else the token says. */
    signedIn: VerifiedUser;
  };
}

/** 401 without a good token; else sets `user` and `signedIn`. */
export function authenticate(verify: VerifyToken): MiddlewareHandler<Authenticated> {
  return async function authenticateRequest(c, next): Promise<Response | void> {
    const token = tokenOf(c.req.raw);
    const signedIn = token === undefined ? undefined : await verify(token);
    if (signedIn === undefined) return refuse(c, "unauthorized");
    c.set("user", signedIn.id);
    c.set("signedIn", signedIn);
    await next();
  };
}
