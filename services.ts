/** Ties what the routes ask for to the store: the only place that knows both. */
import type { BlobStores } from "./assets/store.ts";
import { openVerifier, type SignInSettings } from "./auth/verify.ts";
import { observeCommits } from "./kv/commit.ts";
import { readMeta } from "./kv/graphs.ts";
import { knownChecksum, readHead } from "./kv/head.ts";
import { lookForFile } from "./kv/lost_file.ts";
import { isFile } from "./kv/open.ts";
import { canRead } from "./kv/ready.ts";
import { type LimitSettings, openLimits } from "./limits/request_limits.ts";
import type { Services } from "./routes/services.ts";
import type { UserId } from "./protocol/ids.ts";
import { reachedAt } from "./protocol/today/server_message.ts";
import { AcceptedIds } from "./sync/accepted.ts";
import { openAsset, putAsset, removeAsset } from "./sync/assets.ts";
import { backupOf } from "./sync/backup_file.ts";
import { txBatch } from "./sync/batch.ts";
import { Databases } from "./sync/database.ts";
import { diagnostics } from "./sync/diagnostics.ts";
import { rememberTold } from "./sync/downloads.ts";
import { txEntries } from "./sync/entries.ts";
import type { Fanout } from "./sync/fanout.ts";
import { openKeys } from "./sync/e2ee.ts";
import { Flusher } from "./sync/flush.ts";
import { openGraphs } from "./sync/graphs.ts";
import type { Hub } from "./sync/hub.ts";
import { openMembers } from "./sync/members.ts";
import { NextPages } from "./sync/next_pages.ts";
import { NodeCache } from "./sync/node_cache.ts";
import { overviewOf } from "./sync/overview.ts";
import { observedFanout, observedOperations } from "./sync/observed.ts";
import { Presence } from "./sync/presence.ts";
import { pull } from "./sync/pull.ts";
import { RecentEntries } from "./sync/recent.ts";
import { importRows } from "./sync/import.ts";
import { openRowStream, versionToStream } from "./sync/row_stream.ts";
import { Sizes } from "./sync/sizes.ts";
import { rowsPage } from "./sync/snapshot.ts";
import { Turns } from "./sync/turns.ts";
import { upload } from "./sync/snapshot_upload.ts";
import { UploadedChecksums } from "./sync/uploaded_checksum.ts";
import { Users } from "./sync/users.ts";
import { WholeRows } from "./sync/whole_rows.ts";
import { loggerFor } from "./telemetry/log.ts";
import type { Meter } from "./telemetry/metrics.ts";

export interface ServiceParts extends LimitSettings {
  readonly kv: Deno.Kv;
  /** Where `kv` is. */
  readonly kvPath: string;
  readonly hub: Hub;
  readonly fanout: Fanout;
  readonly signIn: SignInSettings;
  readonly graphsPerUser: number;
  readonly nodeCacheBytes: number;
  readonly stores: BlobStores;
  readonly assetsGraceMs: number;
  readonly meter: Meter;
  readonly trustProxy: boolean;
}

/** What goes on between requests. */
export interface Background {
  /** Answers when no flush is under way, and nothing is being counted. */
  readonly idle: () => Promise<void>;
  /** Says to other instances that nobody is here any more; to be called when the sockets are gone. */
  readonly leave: () => Promise<void>;
}

/** The services of one server. Reads nothing of the store, and starts nothing yet. `leave` must be called. */
export async function createServices(parts: ServiceParts): Promise<Services & Background> {
  const { kv, kvPath, hub, nodeCacheBytes, meter, stores, assetsGraceMs, trustProxy } = parts;
  const fanout = observedFanout(parts.fanout, meter);
  observeCommits(kv, (outcome) => meter.commit(outcome));
  const now = (): number => Date.now();
  const findFile = isFile(kvPath) ? await lookForFile(kvPath) : undefined;
  const nextPages = new NextPages(kv, now);
  const pages = { kv, now, nextPages, wholeRows: new WholeRows(kv) };
  const ended: Fanout["ended"] = (graph, end) => fanout.ended(graph, end);
  const graphs = openGraphs({ kv, stores, now, ended });
  const imports = { kv, now, ended };
  const databases = new Databases(kv, new NodeCache(nodeCacheBytes));
  const turns = new Turns();
  const creations = new Turns<UserId>();
  const flusher = new Flusher({
    kv,
    databases,
    turns,
    log: loggerFor("flush"),
    now,
    flushed: (outcome, ms) => meter.flush(outcome, ms / 1000),
  });
  const sizes = new Sizes({ kv, log: loggerFor("sizes"), now });
  const sums = new UploadedChecksums(kv, databases);
  const recent = new RecentEntries();
  const batch = { kv, databases, turns, fanout, flusher, recent, log: loggerFor("batch"), now };
  const presence = new Presence({ kv, fanout, now });
  const assets = { kv, stores, graceMs: assetsGraceMs, log: loggerFor("assets"), now };
  const entries = { ...batch, accepted: new AcceptedIds(kv) };
  return {
    verify: await openVerifier(parts.signIn),
    limits: openLimits(parts),
    pages: {
      overview: (user) => overviewOf({ kv, hub, sizes, now }, user),
      name: async (graph) => (await readMeta(kv, graph))?.name,
      backup: (graph) => backupOf(kv, graph),
    },
    hub,
    leave: () => presence.close(),
    presence,
    members: openMembers({
      kv,
      now,
      removed: (graph, version) => presence.removed(graph, version),
    }),
    keys: openKeys(kv),
    users: new Users(kv, now),
    ready: async () => {
      await findFile?.();
      await canRead(kv);
    },
    trustProxy,
    idle: async () => {
      const background = [flusher, databases, sizes, sums, nextPages];
      await Promise.all(background.map((part) => part.idle()));
    },
    graphs: {
      ...graphs,
      create: (user, body) =>
        creations.take(user, () => graphs.create(parts.graphsPerUser, user, body)),
    },
    operations: observedOperations({
      version: async (graph) => {
        const head = await readHead(kv, graph);
        return head && { ...reachedAt(head.t, knownChecksum(head)), log: head.log };
      },
      pull: (graph, since) => pull(kv, graph, since, recent),
      txBatch: (graph, txs, sender) => txBatch(batch, graph, txs, sender),
      txEntries: (graph, txs, sender) => txEntries(entries, graph, txs, sender),
      speaksToday: (guest) => presence.speaksToday(guest),
      edit: (guest, block) => presence.edit(guest, block),
    }, { meter, log: batch.log, clock: () => performance.now() }),
    assets: {
      isEncrypted: async (graph) => (await readMeta(kv, graph))?.e2ee ?? false,
      put: (graph, name, sent) => putAsset(assets, graph, name, sent),
      open: (graph, name) => openAsset(assets, graph, name),
      remove: (graph, name) => removeAsset(assets, graph, name),
    },
    diagnostics: (graph) => diagnostics(kv, databases, graph),
    snapshots: {
      page: async (graph, query) => {
        const page = await rowsPage(pages, graph, query);
        if (typeof page === "object") meter.rows("served", page.rows.length);
        return page;
      },
      importRows: async (graph, reset, rows) => {
        const count = await importRows(imports, graph, reset, rows);
        meter.rows("imported", count ?? 0);
        return count;
      },
      pullForDownload: async (graph, since, caller) => {
        meter.pull();
        const log = await pull(kv, graph, since);
        if (log === undefined) return undefined;
        await rememberTold({ kv, now }, { graph, caller }, log);
        return log;
      },
      upload: async (graph, call, checksum) => {
        const outcome = await upload(imports, graph, call);
        const isTaken = outcome === "staged" || outcome === "finished";
        if (isTaken) meter.rows("imported", call.rows.count);
        if (outcome === "finished") await sums.uploaded(graph, checksum);
        return outcome;
      },
      versionToStream: (graph, caller) => versionToStream({ kv, now }, { graph, caller }),
      stream: async (graph, version) => {
        const opened = await openRowStream(kv, graph, version);
        if (opened.kind === "open") meter.rows("served", opened.stream.count);
        return opened;
      },
    },
  };
}
