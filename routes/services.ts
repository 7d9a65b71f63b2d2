/**
 * What the routes call, as they see it. services.ts at the root ties these to the store; nothing here
 * knows of one. Where there is no such graph the answer is `undefined`: it may be deleted between the
 * access check and the call.
 */
import type { UploadRefusal } from "../assets/intake.ts";
import type { VerifyToken } from "../auth/verify.ts";
import type { RequestLimits } from "../limits/request_limits.ts";
import type { AssetName, Checksum, GraphId, T, UserId } from "../protocol/ids.ts";
import type { GraphVersion } from "../protocol/today/snapshot.ts";
import type { NewGraph } from "../protocol/new_graph.ts";
import type { OpenAsset, SentAsset } from "../sync/assets.ts";
import type { BackupAnswer } from "../sync/backup_file.ts";
import type { SyncOperations } from "../sync/connection.ts";
import type { Keys } from "../sync/e2ee.ts";
import type { CreateOutcome, Graphs } from "../sync/graphs.ts";
import type { Hub } from "../sync/hub.ts";
import type { ImportedRows } from "../sync/import.ts";
import type { Members } from "../sync/members.ts";
import type { GraphOverview } from "../sync/overview.ts";
import type { Presence } from "../sync/presence.ts";
import type { PulledLog } from "../sync/pull_answer.ts";
import type { OpenedRows } from "../sync/row_stream.ts";
import type { PageQuery, PageRefusal, RowsPage } from "../sync/snapshot.ts";
import type { UploadCall, UploadOutcome } from "../sync/snapshot_upload.ts";
import type { Users } from "../sync/users.ts";

/** The graphs as things that are made, listed and removed; of those that end the sockets are closed. */
export interface GraphServices extends Omit<Graphs, "create"> {
  /** Unless the user has as many as he may. */
  readonly create: (user: UserId, body: NewGraph) => Promise<CreateOutcome>;
}

/** The rows of a graph, out and in. */
export interface SnapshotServices {
  readonly page: (graph: GraphId, query: PageQuery) => Promise<RowsPage | PageRefusal | undefined>;
  /** Answers how many rows were in this call. */
  readonly importRows: (
    graph: GraphId,
    reset: boolean,
    rows: ImportedRows,
  ) => Promise<number | undefined>;
  /** The log after `since`, and remembers for this caller's next pages what version it was told. */
  readonly pullForDownload: (
    graph: GraphId,
    since: T,
    caller: UserId,
  ) => Promise<PulledLog | undefined>;
  /**
   * One call of an upload; the last one closes the graph's sockets.
   *
   * @param checksum that the client tells, if it does
   */
  readonly upload: (
    graph: GraphId,
    call: UploadCall,
    checksum: Checksum | undefined,
  ) => Promise<UploadOutcome>;
  /** The version that this caller's download is to hold. */
  readonly versionToStream: (
    graph: GraphId,
    caller: UserId,
  ) => Promise<GraphVersion | "replaced" | undefined>;
  /** All rows as of a version, by default the current one. */
  readonly stream: (graph: GraphId, version?: GraphVersion) => Promise<OpenedRows>;
}

/** The files of a graph. */
export interface AssetServices {
  /** Whether the graph is an encrypted one: its files may be larger, and are checked otherwise. */
  readonly isEncrypted: (graph: GraphId) => Promise<boolean>;
  /** Answers `stored` once the file is there, whole; else the name has what it had. */
  readonly put: (
    graph: GraphId,
    name: AssetName,
    sent: SentAsset,
  ) => Promise<"stored" | UploadRefusal | undefined>;
  /** Also `undefined` where there is no such file. */
  readonly open: (graph: GraphId, name: AssetName) => Promise<OpenAsset | undefined>;
  /** Also where there is no such file. */
  readonly remove: (graph: GraphId, name: AssetName) => Promise<void>;
}

export type UserServices = Pick<Users, "seen">;

/** What a user sees of his graphs. */
export interface PageServices {
  /** The one that changed last first. */
  readonly overview: (user: UserId) => Promise<readonly GraphOverview[]>;
  /** What to call the graph; `undefined` where there is no such graph. */
  readonly name: (graph: GraphId) => Promise<string | undefined>;
  readonly backup: (graph: GraphId) => Promise<BackupAnswer>;
}

export interface Services {
  readonly verify: VerifyToken;
  readonly graphs: GraphServices;
  readonly operations: SyncOperations;
  readonly snapshots: SnapshotServices;
  readonly assets: AssetServices;
  readonly pages: PageServices;
  /** What a graph's checksum comes to, and why, as JSON in chunks. */
  readonly diagnostics: (
    graph: GraphId,
  ) => Promise<AsyncGenerator<Uint8Array<ArrayBuffer>> | undefined>;
  readonly hub: Hub;
  readonly members: Members;
  readonly keys: Keys;
  readonly users: UserServices;
  readonly presence: Pick<Presence, "enter">;
  /** Whether the store answers; may throw, or take as long as it likes. */
  readonly ready: () => Promise<void>;
  readonly limits: RequestLimits;
  /** Whether a proxy in front says at which address clients see this server (origin.ts). */
  readonly trustProxy: boolean;
}
