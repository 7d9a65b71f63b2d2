/** How often a user may ask. Behind `authenticate`. */
import type { MiddlewareHandler } from "hono";
import type { UserRates } from "../limits/user_rates.ts";
import type { Authenticated } from "./authenticate.ts";
import { refuseFor } from "./refuse.ts";

/** 429 with `retry-after` for a request too many, before anything is read or stored. */
export function limitRequests(requests: UserRates): MiddlewareHandler<Authenticated> {
  return async function limitUsersRequests(c, next): Promise<Response | void> {
    const waitMs = requests.take(c.get("user"));
    if (waitMs > 0) return refuseFor(c, "too many requests", waitMs);
    await next();
  };
}
