/** `/metrics`: what is counted, for Prometheus; and the counting of requests. */
import { createHash, timingSafeEqual } from "node:crypto";
import { Hono, type MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { Meter, ServedMetrics } from "../telemetry/metrics.ts";
import { nameRequestSpan } from "../telemetry/trace.ts";
import { refuse } from "./refuse.ts";

/** HTTP's own methods: a client can send any word for one, and each would be a series. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

/** 404 where nothing is counted, 401 where there is a token and it isn't the request's bearer. */
export function metricsRoutes(served: ServedMetrics | undefined): Hono {
  return new Hono().get("/", async (c) => {
    if (served === undefined) return refuse(c, "not found");
    const { metrics, access } = served;
    const allowed = access.kind === "open" ||
      isSame(c.req.header("authorization") ?? "", `Bearer ${access.token}`);
    if (!allowed) return refuse(c, "unauthorized");
    return c.body(await metrics.text(), 200, { "content-type": metrics.contentType });
  });
}

/**
 * Counts each request by the pattern of its route, and names its span so.
 *
 * @param clock milliseconds from any start
 */
export function requestMetrics(meter: Meter, clock: () => number): MiddlewareHandler {
  return async function measureRequest(c, next): Promise<void> {
    const start = clock();
    await next();
    const method = METHODS.includes(c.req.method) ? c.req.method : "other";
    const route = routePath(c, -1);
    nameRequestSpan(method, route);
    meter.request(method, route, c.res.status, (clock() - start) / 1000);
  };
}

/** Takes as long whatever differs, the length too, so that a token can't be guessed letter by letter. */
function isSame(given: string, wanted: string): boolean {
  return timingSafeEqual(digestOf(given), digestOf(wanted));
}

function digestOf(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
