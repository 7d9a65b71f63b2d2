/** `/health`: is the process there. Open to all. */
import { Hono } from "hono";

export function healthRoutes(): Hono {
  return new Hono().get("/", (c) => c.json({ ok: true }));
}
