/** Ties what the routes ask for to the store: the only place that knows both. */
import { createVerifier } from "./auth/verify.ts";
import { readHead } from "./kv/head.ts";
import type { Services } from "./routes/services.ts";
import { reachedAt } from "./protocol/today/server_message.ts";
import { AcceptedIds } from "./sync/accepted.ts";
import { txBatch } from "./sync/batch.ts";
import { Databases } from "./sync/database.ts";
import { diagnostics } from "./sync/diagnostics.ts";
import { txEntries } from "./sync/entries.ts";
import type { Fanout } from "./sync/fanout.ts";
import { Flusher } from "./sync/flush.ts";
import { openGraphs } from "./sync/graphs.ts";
import type { Hub } from "./sync/hub.ts";
import { NodeCache } from "./sync/node_cache.ts";
import { Pins } from "./sync/pins.ts";
import { pull } from "./sync/pull.ts";
import { importEncoded } from "./sync/import.ts";
import { openRowStream, versionToStream } from "./sync/row_stream.ts";
import { rowsPage } from "./sync/snapshot.ts";
import { Turns } from "./sync/turns.ts";
import { upload } from "./sync/upload.ts";
import { loggerFor } from "./telemetry/log.ts";

export interface ServiceParts {
  readonly kv: Deno.Kv;
  readonly hub: Hub;
  readonly fanout: Fanout;
  readonly authSecret: string;
  readonly nodeCacheBytes: number;
  readonly trustProxy: boolean;
}

/** What goes on between requests. */
export interface Background {
  /** Answers when no flush is under way. */
  readonly idle: () => Promise<void>;
}

/** The services of one server. Reads nothing and starts nothing yet. */
export async function createServices(parts: ServiceParts): Promise<Services & Background> {
  const { kv, hub, fanout, authSecret, nodeCacheBytes, trustProxy } = parts;
  const now = (): number => Date.now();
  const pins = new Pins(now);
  const graphs = openGraphs({ kv, now });
  const databases = new Databases(kv, new NodeCache(nodeCacheBytes));
  const turns = new Turns();
  const flusher = new Flusher({ kv, databases, turns, log: loggerFor("flush"), now });
  const batch = { kv, databases, turns, fanout, flusher, log: loggerFor("batch"), now };
  const entries = { ...batch, accepted: new AcceptedIds(kv) };
  return {
    verify: await createVerifier(authSecret),
    hub,
    trustProxy,
    idle: () => flusher.idle(),
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
      version: async (graph) => {
        const head = await readHead(kv, graph);
        return head && reachedAt(head.t, head.checksum);
      },
      pull: (graph, since) => pull(kv, graph, since),
      txBatch: (graph, txs, sender) => txBatch(batch, graph, txs, sender),
      txEntries: (graph, txs, sender) => txEntries(entries, graph, txs, sender),
    },
    diagnostics: (graph) => diagnostics(kv, databases, graph),
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
      upload: async (graph, call) => {
        const outcome = await upload({ kv, databases, now }, graph, call);
        if (outcome === "finished") fanout.ended(graph, "reset");
        return outcome;
      },
      versionToStream: (graph, caller) => versionToStream({ kv, pins }, graph, caller),
      stream: (graph, version) => openRowStream(kv, graph, version),
    },
  };
}
