/** Bodies come as they are: nothing that a client compressed is inflated, but where a route bounds it. */
import type { MiddlewareHandler } from "hono";
import { refuse } from "./refuse.ts";

/** Snapshots of today's clients are gzipped; upload_body.ts bounds what comes of them. */
const MAY_BE_GZIPPED = /^\/sync\/[^/]+\/snapshot\/upload$/;

/** 415 for a body with a `content-encoding` (RFC 9110 §15.5.16). */
export function plainBody(): MiddlewareHandler {
  return async function refuseEncodedBody(c, next): Promise<Response | void> {
    const encoding = (c.req.header("content-encoding") ?? "identity").toLowerCase();
    const isRead = encoding === "identity" ||
      (encoding === "gzip" && MAY_BE_GZIPPED.test(c.req.path));
    if (!isRead) {
      return refuse(c, "unsupported content-encoding", { "accept-encoding": "identity" });
    }
    await next();
  };
}
