/**
 * The whole HTTP side as one function of a Request: CORS and log around everything, then auth, then
 * access, then the routes (the order of the checks is the protocol's). Tests build the same one.
 */
import { Hono } from "hono";
import { authenticate } from "./routes/authenticate.ts";
import { cors } from "./routes/cors.ts";
import { e2eeRoutes } from "./routes/e2ee.ts";
import { graphRoutes } from "./routes/graphs.ts";
import { healthRoutes } from "./routes/health.ts";
import { refuse } from "./routes/refuse.ts";
import { requestLog } from "./routes/request_log.ts";
import { seenUser } from "./routes/seen_user.ts";
import type { Services } from "./routes/services.ts";
import { syncRoutes } from "./routes/sync.ts";
import { loggerFor } from "./telemetry/log.ts";

const log = loggerFor("http");

/** Routes over these services; opens and starts nothing. */
export function createApp(services: Services): Hono {
  const app = new Hono();
  app.use(cors());
  app.use(requestLog(() => performance.now()));
  app.notFound((c) => refuse(c, "not found"));
  app.onError((cause, c) => {
    log.error("Cannot answer {method} {path}", { method: c.req.method, path: c.req.path, cause });
    return refuse(c, "server error");
  });

  app.route("/health", healthRoutes());

  // Also for paths that don't exist: who has no token learns nothing of what does.
  for (const path of ["/graphs/*", "/sync/*", "/assets/*", "/e2ee/*"]) {
    app.use(path, authenticate(services.verify));
  }
  for (const path of ["/graphs/*", "/e2ee/*"]) app.use(path, seenUser(services.users));
  app.delete("/graphs/", (c) => refuse(c, "missing graph id"));
  app.route("/graphs", graphRoutes(services));
  app.route("/e2ee", e2eeRoutes(services));
  app.all("/sync", (c) => refuse(c, "missing graph id"));
  app.all("/sync/", (c) => refuse(c, "missing graph id"));
  app.route("/sync/:id", syncRoutes(services));
  return app;
}
