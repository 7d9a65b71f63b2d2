/** Remembers who calls, so that others can invite him: on `/graphs` and `/e2ee`, as upstream does. */
import type { MiddlewareHandler } from "hono";
import type { Authenticated } from "./authenticate.ts";
import type { UserServices } from "./services.ts";
import { loggerFor } from "../telemetry/log.ts";

const log = loggerFor("http");

/** Behind `authenticate`. */
export function seenUser(users: UserServices): MiddlewareHandler<Authenticated> {
  return async function rememberUser(c, next): Promise<void> {
    try {
      await users.seen(c.get("signedIn"));
    } catch (cause) {
      // A store that takes no commits is no reason to show nobody his graphs.
      log.warn("Cannot remember who calls", { cause });
    }
    await next();
  };
}
