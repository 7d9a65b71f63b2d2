/** Who is asking: everything behind this has a user. */
import type { MiddlewareHandler } from "hono";
import { tokenOf } from "../auth/token.ts";
import type { VerifiedUser } from "../auth/user.ts";
import type { VerifyToken } from "../auth/verify.ts";
import type { UserId } from "../protocol/ids.ts";
import { withLogFields } from "../telemetry/log.ts";
import { refuse, refuseFor } from "./refuse.ts";

/** What a route behind `authenticate` can read. */
export interface Authenticated {
  Variables: {
    user: UserId;
    /** The same user, with what else the token says. */
    signedIn: VerifiedUser;
  };
}

/** A provider that is down is asked again every few seconds. */
const UNAVAILABLE_FOR_MS = 10_000;

/**
 * 401, 403 or 503 as SignIn says, 401 without a token; else sets `user` and `signedIn`, the first
 * also for the log: a socket's events are in it too.
 */
export function authenticate(verify: VerifyToken): MiddlewareHandler<Authenticated> {
  return async function authenticateRequest(c, next): Promise<Response | void> {
    const token = tokenOf(c.req.raw);
    if (token === undefined) return refuse(c, "unauthorized");
    const signIn = await verify(token);
    if (!signIn.ok) {
      return signIn.refusal === "sign-in unavailable"
        ? refuseFor(c, signIn.refusal, UNAVAILABLE_FOR_MS)
        : refuse(c, signIn.refusal);
    }
    c.set("user", signIn.user.id);
    c.set("signedIn", signIn.user);
    await withLogFields({ user: signIn.user.id }, next);
  };
}
