/**
 * What the routes call, as they see it. main.ts ties these to the store; nothing here knows of one.
 * Where there is no such graph the answer is `undefined`: it may be deleted between the access
 * check and the call.
 */
import type { LookUpAccess } from "../auth/access.ts";
import type { VerifyToken } from "../auth/verify.ts";
import type { CreateGraphBody, GraphsAnswer } from "../protocol/http.ts";
import type { GraphId, T, UserId } from "../protocol/ids.ts";
import type { RoleInGraph } from "../protocol/today/members.ts";
import type { SyncOperations } from "../sync/connection.ts";
import type { Hub } from "../sync/hub.ts";
import type { ImportedRows } from "../sync/import.ts";
import type { Keys } from "../sync/e2ee.ts";
import type { Members } from "../sync/members.ts";
import type { Presence } from "../sync/presence.ts";
import type { PulledLog } from "../sync/pull_answer.ts";
import type { PageQuery, RowsPage } from "../sync/snapshot.ts";
import type { Users } from "../sync/users.ts";

/** The graphs as things that are made, listed and removed. */
export interface GraphServices {
  readonly access: LookUpAccess;
  readonly create: (user: UserId, body: CreateGraphBody) => Promise<GraphId>;
  /** The user's own and those that he was invited to, newest `updated_at` first. */
  readonly list: (
    user: UserId,
  ) => Promise<readonly (GraphsAnswer["graphs"][number] & RoleInGraph)[]>;
  /** Removes all that a graph owns, and closes its sockets; all is gone when this answers. */
  readonly remove: (graph: GraphId) => Promise<void>;
  /** Empties log and rows, sets t to 0, and closes the graph's sockets. */
  readonly reset: (graph: GraphId) => Promise<true | undefined>;
}

/** The rows of a graph, out and in. */
export interface SnapshotServices {
  readonly page: (graph: GraphId, query: PageQuery) => Promise<RowsPage | undefined>;
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
}

export type MemberServices = Members;
export type KeyServices = Keys;
export type UserServices = Pick<Users, "seen">;
export type PresenceServices = Pick<Presence, "enter">;

export interface Services {
  readonly verify: VerifyToken;
  readonly graphs: GraphServices;
  readonly operations: SyncOperations;
  readonly snapshots: SnapshotServices;
  readonly hub: Hub;
  readonly members: MemberServices;
  readonly keys: KeyServices;
  readonly users: UserServices;
  readonly presence: PresenceServices;
}
