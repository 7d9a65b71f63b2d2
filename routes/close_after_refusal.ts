/** Connections whose request was refused before its body was read. */
import type { MiddlewareHandler } from "hono";

/**
 * `connection: close` with what is refused and had a body (RFC 9112 §9.6): the rest of that body may be
 * still to come, and HAProxy (2.6, with HTTP/2 in front) puts another client's request after half of it
 * otherwise, which is then read as the body's rest.
 */
export function closeAfterRefusal(): MiddlewareHandler {
  return async function closeIfRefused(c, next): Promise<void> {
    await next();
    if (c.res.status < 400) return;
    const { headers } = c.req.raw;
    const hasBody = headers.has("transfer-encoding") || Number(headers.get("content-length")) > 0;
    if (hasBody) c.res.headers.set("connection", "close");
  };
}
