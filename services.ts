/** Ties what the routes ask for to the store: the only place that knows both. */
import { createVerifier } from "./auth/verify.ts";
import { readHead } from "./kv/head.ts";
import type { Services } from "./routes/services.ts";
import { txBatch } from "./sync/batch.ts";
import { Databases } from "./sync/database.ts";
import type { Fanout } from "./sync/fanout.ts";
import { openKeys } from "./sync/e2ee.ts";
import { Flusher } from "./sync/flush.ts";
import { openGraphs } from "./sync/graphs.ts";
import type { Hub } from "./sync/hub.ts";
import { openMembers } from "./sync/members.ts";
import { NodeCache } from "./sync/node_cache.ts";
import { Pins } from "./sync/pins.ts";
import { Presence } from "./sync/presence.ts";
import { pull } from "./sync/pull.ts";
import { importEncoded } from "./sync/import.ts";
import { rowsPage } from "./sync/snapshot.ts";
import { Turns } from "./sync/turns.ts";
import { Users } from "./sync/users.ts";
import { loggerFor } from "./telemetry/log.ts";

export interface ServiceParts {
  readonly kv: Deno.Kv;
  readonly hub: Hub;
  readonly fanout: Fanout;
  readonly authSecret: string;
  readonly nodeCacheBytes: number;
}

/** What goes on between requests. */
export interface Background {
  /** Answers when no flush is under way. */
  readonly idle: () => Promise<void>;
  /** Says to other instances that nobody is here any more; to be called when the sockets are gone. */
  readonly leave: () => Promise<void>;
}

/** The services of one server. Reads nothing and starts nothing yet. `leave` must be called. */
export async function createServices(parts: ServiceParts): Promise<Services & Background> {
  const { kv, hub, fanout, authSecret, nodeCacheBytes } = parts;
  const now = (): number => Date.now();
  const pins = new Pins(now);
  const graphs = openGraphs({ kv, now });
  const databases = new Databases(kv, new NodeCache(nodeCacheBytes));
  const turns = new Turns();
  const flusher = new Flusher({ kv, databases, turns, log: loggerFor("flush"), now });
  const batch = { kv, databases, turns, fanout, flusher, log: loggerFor("batch"), now };
  const presence = new Presence({ kv, fanout, now });
  return {
    verify: await createVerifier(authSecret),
    hub,
    idle: () => flusher.idle(),
    leave: () => presence.close(),
    presence,
    members: openMembers({
      kv,
      now,
      removed: (graph, version) => presence.removed(graph, version),
    }),
    keys: openKeys(kv),
    users: new Users(kv, now),
    graphs: {
      ...graphs,
      remove: async (graph) => {
        await graphs.remove(graph);
        fanout.ended(graph, "deleted");
      },
      reset: async (graph) => {
        const done = await graphs.reset(graph);
        if (done) fanout.ended(graph, "reset");
        return done;
      },
    },
    operations: {
      version: async (graph) => (await readHead(kv, graph))?.t,
      pull: (graph, since) => pull(kv, graph, since),
      txBatch: (graph, txs, sender) => txBatch(batch, graph, txs, sender),
      edit: (guest, block) => presence.edit(guest, block),
    },
    snapshots: {
      page: (graph, query) => rowsPage({ kv, pins }, graph, query),
      importRows: async (graph, reset, rows) => {
        const count = await importEncoded({ kv, now }, graph, reset, rows);
        if (count !== undefined && reset) fanout.ended(graph, "reset");
        return count;
      },
      pullForDownload: async (graph, since, caller) => {
        const log = await pull(kv, graph, since);
        if (log !== undefined) pins.remember(caller, graph, { log: log.generation, t: log.t });
        return log;
      },
    },
  };
}
