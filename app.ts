/**
 * The whole HTTP side as one function of a Request: CORS and log around everything, then auth, then
 * limits, then access, then the routes (the order of the checks is the protocol's). Tests build the same one.
 */
import { Hono } from "hono";
import { assetRoutes } from "./routes/assets.ts";
import { authenticate } from "./routes/authenticate.ts";
import { bodyShare, NoShareLeftError } from "./routes/body_share.ts";
import { closeAfterRefusal } from "./routes/close_after_refusal.ts";
import { cors } from "./routes/cors.ts";
import { docsRoutes } from "./routes/docs.tsx";
import { e2eeRoutes } from "./routes/e2ee.ts";
import { graphRoutes } from "./routes/graphs.ts";
import { goodHost } from "./routes/good_host.ts";
import { healthRoutes, readyRoutes } from "./routes/health.ts";
import { limitRequests } from "./routes/limit_requests.ts";
import { metricsRoutes, requestMetrics } from "./routes/metrics.ts";
import { plainBody } from "./routes/plain_body.ts";
import { pathOf, readableQuery } from "./routes/readable_url.ts";
import { refuse, refuseFor } from "./routes/refuse.ts";
import { requestLog } from "./routes/request_log.ts";
import { seenUser } from "./routes/seen_user.ts";
import type { Services } from "./routes/services.ts";
import { statusRoutes } from "./routes/status.tsx";
import { syncRoutes } from "./routes/sync.ts";
import { loggerFor } from "./telemetry/log.ts";
import { NO_METER, type ServedMetrics } from "./telemetry/metrics.ts";

const log = loggerFor("http");

/** When there may be room for a body again: others of its user have to be answered first. */
const RETRY_MS = 1000;

/** Routes over these services; opens and starts nothing. */
export function createApp(services: Services, served?: ServedMetrics): Hono {
  const app = new Hono({ getPath: pathOf });
  const clock = (): number => performance.now();
  app.use(cors());
  app.use(closeAfterRefusal());
  app.use(requestLog(clock));
  app.use(requestMetrics(served?.metrics ?? NO_METER, clock));
  app.use(goodHost());
  app.use(readableQuery());
  app.notFound((c) => refuse(c, "not found"));
  app.onError((cause, c) => {
    if (cause instanceof NoShareLeftError) return refuseFor(c, "too many requests", RETRY_MS);
    log.error("Cannot answer {method} {path}", { method: c.req.method, path: c.req.path, cause });
    return refuse(c, "server error");
  });

  app.route("/health", healthRoutes());
  app.route("/ready", readyRoutes(services.ready));
  app.route("/metrics", metricsRoutes(served));
  app.route("/", docsRoutes());
  app.route("/", statusRoutes(services, () => Date.now()));

  // Also for paths that don't exist: who has no token learns nothing of what does.
  for (const path of ["/graphs/*", "/sync/*", "/assets/*", "/e2ee/*"]) {
    app.use(
      path,
      authenticate(services.verify),
      limitRequests(services.limits.requests),
      bodyShare(services.limits),
      plainBody(),
    );
  }
  for (const path of ["/graphs/*", "/e2ee/*"]) app.use(path, seenUser(services.users));
  app.delete("/graphs/", (c) => refuse(c, "missing graph id"));
  app.route("/graphs", graphRoutes(services));
  app.route("/e2ee", e2eeRoutes(services));
  app.all("/sync", (c) => refuse(c, "missing graph id"));
  app.all("/sync/", (c) => refuse(c, "missing graph id"));
  app.all("/sync//*", (c) => refuse(c, "missing graph id"));
  app.route("/sync/:id", syncRoutes(services));
  app.all("/assets", (c) => refuse(c, "invalid asset path"));
  app.all("/assets/", (c) => refuse(c, "invalid asset path"));
  app.route("/assets/:id", assetRoutes(services));
  return app;
}
