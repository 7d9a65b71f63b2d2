/** `/sync/:graph-id`: one graph's versions and rows. Behind `authenticate`. */
import { Hono } from "hono";
import { socketEnd } from "../auth/user.ts";
import { parseAfter, parseLimit, parseSince } from "../protocol/http.ts";
import { reject } from "../protocol/reject.ts";
import { entriesRefusal } from "../protocol/today/server_message.ts";
import { isEntriesBatch, parseEntriesBatch } from "../protocol/today/tx_batch.ts";
import { parseTxBatch } from "../protocol/tx_batch.ts";
import { nextTurn } from "../sync/next_turn.ts";
import { pullAnswer } from "../sync/pull_answer.ts";
import { rowsAnswer } from "../sync/snapshot.ts";
import { answersAtOnce } from "./answers_at_once.ts";
import { goneAnswer, hasGone, wentBefore } from "./gone.ts";
import { graphAccess, managersOnly, refusalNow, type WithGraph } from "./graph_access.ts";
import { readImportBody } from "./import_body.ts";
import { jsonBody } from "./json_body.ts";
import { readyForUse } from "./ready_for_use.ts";
import { refuse, refuseFor } from "./refuse.ts";
import type { Services } from "./services.ts";
import { snapshotRoutes } from "./snapshot.ts";
import { DEAD_SOCKET_MS, isUpgrade, openSocket } from "./socket.ts";
import { streamJson } from "./stream.ts";

export function syncRoutes(services: Services): Hono<WithGraph> {
  const { diagnostics, graphs, hub, limits, operations, presence, snapshots } = services;
  const routes = new Hono<WithGraph>();
  const ready = readyForUse(graphs.ready);
  const atOnce = answersAtOnce(limits.answers);
  const access = graphAccess(graphs.access);
  routes.use("/*", access);

  routes.get("/", ready, async (c) => {
    if (!isUpgrade(c.req.raw)) return refuse(c, "not found");
    // Of a client that went before it Deno (2.9) never closes an upgraded connection: each would be a
    // file descriptor less for ever. That it went is known a turn later.
    await nextTurn();
    if (hasGone(c.req.raw)) return goneAnswer();
    const [graph, user] = [c.get("graph"), c.get("signedIn")];
    const leave = limits.sockets.take(user.id);
    if (leave === undefined) return refuseFor(c, "too many sockets", DEAD_SOCKET_MS);
    return openSocket(c.req.raw, graph, hub, operations, {
      turn: () => limits.frames.wait(user.id),
      pulling: (pull) => limits.pulls.run(user.id, pull),
      share: limits.unanswered.of(user.id),
      unread: limits.unread.of(user.id),
      ...user.expiresAt !== undefined && { until: socketEnd(user.expiresAt, Date.now()) },
      enter: (connection) => presence.enter(graph, user, connection),
      leave,
    });
  });

  routes.get("/health", (c) => c.json({ ok: true }));

  routes.get("/pull", ready, atOnce, access, async (c) => {
    const text = c.req.query("since");
    const since = parseSince(text);
    if (since === undefined) return refuse(c, "invalid since");
    // A pull without since opens each page of a download (protocol.md §3).
    const log = text === undefined
      ? await snapshots.pullForDownload(c.get("graph"), since, c.get("user"))
      : await operations.pull(c.get("graph"), since);
    return log === undefined ? refuse(c, "not found") : await streamJson(c, pullAnswer(log));
  });

  routes.post("/tx/batch", ready, jsonBody(limits.maxBodyBytes), async (c) => {
    const body = c.get("body");
    if (body.kind === "missing") return refuse(c, "missing body");
    if (body.kind === "malformed") return refuse(c, "invalid tx");
    const refusal = await refusalNow(graphs.access, c.get("user"), c.get("graph"), "member");
    if (refusal !== undefined) return refuse(c, refusal);
    if (isEntriesBatch(body.value)) {
      const parsed = parseEntriesBatch(body.value);
      if (!parsed.ok && parsed.fault === "invalid tx") return refuse(c, "invalid tx");
      if (!parsed.ok) return c.json(entriesRefusal(parsed.fault));
      const answer = await operations.txEntries(c.get("graph"), parsed.batch);
      return answer === undefined ? refuse(c, "not found") : c.json(answer);
    }
    const parsed = parseTxBatch(body.value);
    if (!parsed.ok && parsed.fault === "invalid tx") return refuse(c, "invalid tx");
    if (!parsed.ok) return c.json(reject.invalidTBefore());
    const answer = await operations.txBatch(c.get("graph"), parsed.batch);
    return answer === undefined ? refuse(c, "not found") : c.json(answer);
  });

  routes.get("/checksum/diagnostics", ready, answersAtOnce(limits.backups), access, async (c) => {
    const answer = await diagnostics(c.get("graph"));
    return answer === undefined ? refuse(c, "not found") : await streamJson(c, answer);
  });

  routes.get("/snapshot/rows", ready, atOnce, access, async (c) => {
    const page = await snapshots.page(c.get("graph"), {
      after: parseAfter(c.req.query("after")),
      limit: parseLimit(c.req.query("limit")),
      caller: c.get("user"),
    });
    if (page === undefined) return refuse(c, "not found");
    if (page === "not ready") return refuse(c, "graph not ready");
    if (page === "replaced") return refuse(c, "graph replaced");
    return await streamJson(c, rowsAnswer(page));
  });

  routes.post("/snapshot/import", managersOnly(), async (c) => {
    const body = await readImportBody(c.req.raw, limits.maxBodyBytes, c.get("hold"));
    if (!body.ok) return refuse(c, body.refusal);
    const refusal = await refusalNow(graphs.access, c.get("user"), c.get("graph"), "manager");
    if (refusal !== undefined) return refuse(c, refusal);
    if (body.reset && await wentBefore(c.req.raw)) return goneAnswer();
    const count = await snapshots.importRows(c.get("graph"), body.reset, body.rows);
    return count === undefined ? refuse(c, "not found") : c.json({ ok: true, count });
  });

  routes.route("/snapshot", snapshotRoutes(services));

  routes.delete("/admin/reset", managersOnly(), async (c) => {
    if (await wentBefore(c.req.raw)) return goneAnswer();
    const done = await graphs.reset(c.get("graph"));
    return done === undefined ? refuse(c, "not found") : c.json({ ok: true });
  });

  return routes;
}
