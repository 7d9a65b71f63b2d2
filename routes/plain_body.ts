/** Bodies come as they are: nothing that a client compressed is inflated, whatever it would become. */
import type { MiddlewareHandler } from "hono";
import { refuse } from "./refuse.ts";

/** 415 for a body with a `content-encoding` (RFC 9110 §15.5.16). */
export function plainBody(): MiddlewareHandler {
  return async function refuseEncodedBody(c, next): Promise<Response | void> {
    const encoding = c.req.header("content-encoding") ?? "identity";
    if (encoding.toLowerCase() !== "identity") {
      return refuse(c, "unsupported content-encoding", { "accept-encoding": "identity" });
    }
    await next();
  };
}
