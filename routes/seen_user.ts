/** Remembers who calls, so that others can invite him: on `/graphs` and `/e2ee`, as upstream does. */
import type { MiddlewareHandler } from "hono";
import type { Authenticated } from "./authenticate.ts";
import type { UserServices } from "./services.ts";

/** Behind `authenticate`. */
export function seenUser(users: UserServices): MiddlewareHandler<Authenticated> {
  return async function rememberUser(c, next): Promise<void> {
    await users.seen(c.get("signedIn"));
    await next();
  };
}
