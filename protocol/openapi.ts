/**
 * The OpenAPI 3.1 description of every HTTP route, made from the schemas that check the requests and
 * that the answers are tested with. A route that isn't in this table fails a test, as does a line
 * without its route.
 */
import { z } from "zod";
import { clientMessageSchema } from "./client_message.ts";
import { type ErrorStatus, errorStatus, type ErrorWord } from "./errors.ts";
import {
  createGraphAnswerSchema,
  createGraphBodySchema,
  deleteGraphAnswerSchema,
  importAnswerSchema,
  importBodySchema,
  okAnswerSchema,
  rowsAnswerSchema,
} from "./http.ts";
import { txRejectSchema } from "./reject.ts";
import { pullOkSchema, serverMessageSchema, txBatchOkSchema } from "./server_message.ts";
import {
  grantAccessAnswerSchema,
  grantAccessBodySchema,
  graphKeyAnswerSchema,
  graphKeySchema,
  keyPairAnswerSchema,
  keyPairSchema,
  publicKeyAnswerSchema,
} from "./today/e2ee.ts";
import {
  createGraphAnswerSchema as todaysCreateGraphAnswerSchema,
  createGraphBodySchema as todaysCreateGraphBodySchema,
  diagnosticsAnswerSchema,
} from "./today/http.ts";
import {
  addMemberBodySchema,
  graphsTodayAnswerSchema,
  membersAnswerSchema,
  setRoleBodySchema,
} from "./today/members.ts";
import {
  entriesOkSchema,
  entriesRejectSchema,
  helloAnswerSchema as todaysHelloAnswerSchema,
  pullOkSchema as todaysPullOkSchema,
} from "./today/server_message.ts";
import { downloadAnswerSchema, FRAMES_TYPE, uploadAnswerSchema } from "./today/snapshot.ts";
import { entriesBatchBodySchema } from "./today/tx_batch.ts";
import { txBatchBodySchema } from "./tx_batch.ts";

/** Any JSON of the description. */
export type Json = { readonly [key: string]: unknown };

/**
 * Schemas with a name of their own; each is a component, and others refer to it. Where the dialects
 * differ, `Todays…` is what today's clients say and are told.
 */
const named = {
  Ok: okAnswerSchema,
  CreateGraph: createGraphBodySchema,
  TodaysCreateGraph: todaysCreateGraphBodySchema,
  CreatedGraph: createGraphAnswerSchema,
  TodaysCreatedGraph: todaysCreateGraphAnswerSchema,
  Graphs: graphsTodayAnswerSchema,
  DeletedGraph: deleteGraphAnswerSchema,
  Members: membersAnswerSchema,
  AddMember: addMemberBodySchema,
  SetRole: setRoleBodySchema,
  KeyPair: keyPairSchema,
  KeyPairIfAny: keyPairAnswerSchema,
  PublicKeyIfAny: publicKeyAnswerSchema,
  GraphKey: graphKeySchema,
  GraphKeyIfAny: graphKeyAnswerSchema,
  GrantAccess: grantAccessBodySchema,
  GrantedAccess: grantAccessAnswerSchema,
  Log: pullOkSchema,
  TodaysLog: todaysPullOkSchema,
  Batch: txBatchBodySchema,
  TodaysBatch: entriesBatchBodySchema,
  BatchOk: txBatchOkSchema,
  BatchReject: txRejectSchema,
  TodaysBatchOk: entriesOkSchema,
  TodaysBatchReject: entriesRejectSchema,
  Rows: rowsAnswerSchema,
  Import: importBodySchema,
  Imported: importAnswerSchema,
  Uploaded: uploadAnswerSchema,
  Download: downloadAnswerSchema,
  Diagnostics: diagnosticsAnswerSchema,
  ClientMessage: z.union([
    ...clientMessageSchema.options,
    z.object({ type: z.literal("tx/batch"), ...entriesBatchBodySchema.shape }),
  ]),
  ServerMessage: z.union([
    ...serverMessageSchema.options,
    todaysHelloAnswerSchema,
    todaysPullOkSchema,
    entriesOkSchema,
    entriesRejectSchema,
  ]),
} as const;
type SchemaName = keyof typeof named;

const ANY_TYPE = "*/*";

interface Operation {
  readonly method: "get" | "post" | "put" | "delete";
  /** With `{graph_id}` where the route has `:id`, `{user_id}` for `:user`, `{asset}` for `:name`. */
  readonly path: string;
  readonly tag: "graphs" | "members" | "keys" | "sync" | "assets" | "server";
  readonly summary: string;
  readonly description?: string;
  readonly query?: readonly Json[];
  /** `bytes`: any at all. Of several schemas, any. */
  readonly body?: readonly SchemaName[] | "bytes";
  /** What a good request is answered with; of several schemas, any. */
  readonly answer:
    & { readonly status?: 200 | 101; readonly text: string }
    & (
      | { readonly schemas: readonly SchemaName[] }
      | { readonly type?: string }
    );
  /** Other good answers, without a schema: status → what it says. */
  readonly also?: Readonly<Record<number, string>>;
  readonly refusals: readonly ErrorWord[];
}

const NEEDS_TOKEN: readonly ErrorWord[] = [
  "unauthorized",
  "forbidden",
  "sign-in unavailable",
  "too many requests",
  "unsupported content-encoding",
];
const NEEDS_GRAPH: readonly ErrorWord[] = [...NEEDS_TOKEN, "not found"];
const NEEDS_READY: readonly ErrorWord[] = [...NEEDS_GRAPH, "graph not ready"];
const NEEDS_ASSET: readonly ErrorWord[] = [
  ...NEEDS_GRAPH,
  "invalid asset path",
  "missing assets bucket",
];

const NEEDS_BODY: readonly ErrorWord[] = ["missing body", "invalid body", "body too large"];

const SOCKET = `Upgrades to a WebSocket. Frames are text, one JSON object each, dealt with in order;
a browser sends its token as \`?token=\`. Access is checked before the upgrade.

| client sends | server answers |
| --- | --- |
| \`{"type":"hello","client":"…"}\` | \`{"type":"hello","t":7}\` |
| \`{"type":"ping"}\` | \`{"type":"pong"}\` |
| \`{"type":"pull","since":3}\` | \`{"type":"pull/ok","t":7,"txs":[…]}\`: every entry after \`since\` |
| \`{"type":"tx/batch","t_before":7,"txs":["…"]}\` | \`tx/batch/ok\` with the new \`t\`, or \`tx/reject\` |
| \`{"type":"tx/batch","t-before":7,"txs":[{"tx":"…"}]}\` | the same in today's dialect |
| \`{"type":"presence","editing-block-uuid":"…"}\` | nothing; from then on it is told who is here |

Of a graph that today's clients use, hello and pull are answered with its \`checksum\` too. Once a
batch was accepted every other socket of the graph gets \`{"type":"changed","t":8}\`. What is
no message is answered with \`{"type":"error","message":…}\`, and the socket stays open. All frames are
in the schemas *ClientMessage* and *ServerMessage* below.`;

const OPERATIONS: readonly Operation[] = [
  {
    method: "get",
    path: "/graphs",
    tag: "graphs",
    summary: "The caller's own graphs and those he was invited to, the one that changed last first",
    answer: { schemas: ["Graphs"], text: "Times are in ms since the epoch" },
    refusals: NEEDS_TOKEN,
  },
  {
    method: "post",
    path: "/graphs",
    tag: "graphs",
    summary: "Makes a graph at version 0",
    body: ["CreateGraph", "TodaysCreateGraph"],
    answer: {
      schemas: ["CreatedGraph", "TodaysCreatedGraph"],
      text: "The new graph's id, in the dialect of the body",
    },
    refusals: [
      ...NEEDS_TOKEN,
      "too many graphs",
      "duplicate graph name",
      "missing user rsa key pair",
      ...NEEDS_BODY,
    ],
  },
  {
    method: "get",
    path: "/graphs/{graph_id}/access",
    tag: "graphs",
    summary: "May the caller use this graph",
    answer: { schemas: ["Ok"], text: "Yes" },
    refusals: NEEDS_GRAPH,
  },
  {
    method: "delete",
    path: "/graphs/{graph_id}",
    tag: "graphs",
    summary: "Removes a graph with all that it owns, and closes its sockets; for managers",
    answer: { schemas: ["DeletedGraph"], text: "All of it is gone" },
    refusals: NEEDS_GRAPH,
  },
  {
    method: "get",
    path: "/graphs/{graph_id}/members",
    tag: "members",
    summary: "Who may use a graph: its creator, then the others",
    answer: { schemas: ["Members"], text: "Times are in ms since the epoch" },
    refusals: NEEDS_GRAPH,
  },
  {
    method: "post",
    path: "/graphs/{graph_id}/members",
    tag: "members",
    summary: "Invites a user of this server by his id or his e-mail; for managers",
    body: ["AddMember"],
    answer: { schemas: ["Ok"], text: "He is a member, or a manager if the role says so" },
    refusals: [...NEEDS_GRAPH, ...NEEDS_BODY, "user not found", "too many members"],
  },
  {
    method: "put",
    path: "/graphs/{graph_id}/members/{user_id}",
    tag: "members",
    summary: "Says what a member is from now on; for managers",
    body: ["SetRole"],
    answer: { schemas: ["Ok"], text: "So he is" },
    refusals: [...NEEDS_GRAPH, ...NEEDS_BODY, "user not found"],
  },
  {
    method: "delete",
    path: "/graphs/{graph_id}/members/{user_id}",
    tag: "members",
    summary: "A manager puts a member out, or a member goes; managers stay",
    answer: { schemas: ["Ok"], text: "He is no member, and his sockets are closed" },
    refusals: [...NEEDS_GRAPH, "user not found"],
  },
  {
    method: "get",
    path: "/e2ee/user-keys",
    tag: "keys",
    summary: "The caller's pair of keys, the private one encrypted",
    answer: { schemas: ["KeyPairIfAny"], text: "No fields: there are none" },
    refusals: NEEDS_TOKEN,
  },
  {
    method: "post",
    path: "/e2ee/user-keys",
    tag: "keys",
    summary: "Keeps the caller's pair of keys, in the place of the one before",
    body: ["KeyPair"],
    answer: { schemas: ["KeyPair"], text: "As it was sent" },
    refusals: [...NEEDS_TOKEN, ...NEEDS_BODY],
  },
  {
    method: "get",
    path: "/e2ee/user-public-key",
    tag: "keys",
    summary: "The public key of a user of this server",
    query: [{ name: "email", in: "query", schema: { type: "string" } }],
    answer: { schemas: ["PublicKeyIfAny"], text: "No field: no such user, or no key" },
    refusals: NEEDS_TOKEN,
  },
  {
    method: "get",
    path: "/e2ee/graphs/{graph_id}/aes-key",
    tag: "keys",
    summary: "The key of a graph, encrypted for the caller",
    answer: { schemas: ["GraphKeyIfAny"], text: "null: he has none" },
    refusals: NEEDS_GRAPH,
  },
  {
    method: "post",
    path: "/e2ee/graphs/{graph_id}/aes-key",
    tag: "keys",
    summary: "Keeps the caller's copy of the key of a graph",
    body: ["GraphKey"],
    answer: { schemas: ["GraphKey"], text: "As it was sent" },
    refusals: [...NEEDS_GRAPH, ...NEEDS_BODY],
  },
  {
    method: "post",
    path: "/e2ee/graphs/{graph_id}/grant-access",
    tag: "keys",
    summary: "Gives other members their copies of the key of a graph; for managers",
    body: ["GrantAccess"],
    answer: { schemas: ["GrantedAccess"], text: "missing-users: e-mails that no member has" },
    refusals: [...NEEDS_GRAPH, ...NEEDS_BODY],
  },
  {
    method: "get",
    path: "/sync/{graph_id}",
    tag: "sync",
    summary: "The WebSocket",
    description: SOCKET,
    answer: { status: 101, text: "The connection is a WebSocket from here on" },
    refusals: [...NEEDS_READY, "too many sockets"],
  },
  {
    method: "get",
    path: "/sync/{graph_id}/health",
    tag: "sync",
    summary: "May the caller sync this graph",
    answer: { schemas: ["Ok"], text: "Yes" },
    refusals: NEEDS_GRAPH,
  },
  {
    method: "get",
    path: "/sync/{graph_id}/pull",
    tag: "sync",
    summary: "The log after a version",
    query: [integer("since", "all of the log without it", { minimum: 0 })],
    answer: {
      schemas: ["Log", "TodaysLog"],
      text: "Entries ascend by t; t is the version that they reach. Of a graph that today's " +
        "clients use it has checksum and outliner-op",
    },
    refusals: [...NEEDS_READY, "invalid since"],
  },
  {
    method: "post",
    path: "/sync/{graph_id}/tx/batch",
    tag: "sync",
    summary: "Uploads transactions on top of a version",
    body: ["Batch", "TodaysBatch"],
    answer: {
      schemas: ["BatchOk", "BatchReject", "TodaysBatchOk", "TodaysBatchReject"],
      text: "Stored as one new version, or refused: then nothing was stored. In today's dialect " +
        "each entry that changes something is one, and those before one that fails stay",
    },
    refusals: [...NEEDS_READY, "missing body", "invalid tx", "body too large"],
  },
  {
    method: "get",
    path: "/sync/{graph_id}/snapshot/rows",
    tag: "sync",
    summary: "A page of the graph's rows",
    query: [
      integer("after", "rows with a greater addr; -1, all of them, without it", { minimum: -1 }),
      integer("limit", "rows at most; 500 without it", { minimum: 1, maximum: 2000 }),
    ],
    answer: { schemas: ["Rows"], text: "Ascending by addr; last_addr is the next page's after" },
    refusals: [...NEEDS_READY, "graph replaced"],
  },
  {
    method: "post",
    path: "/sync/{graph_id}/snapshot/import",
    tag: "sync",
    summary: "Upserts rows by addr; with reset it empties the graph first; for managers",
    body: ["Import"],
    answer: { schemas: ["Imported"], text: "count: the rows in this call" },
    refusals: [...NEEDS_GRAPH, ...NEEDS_BODY, "snapshot row too large"],
  },
  {
    method: "get",
    path: "/sync/{graph_id}/checksum/diagnostics",
    tag: "sync",
    summary: "What Logseq's checksum of the graph comes to, and why",
    answer: { schemas: ["Diagnostics"], text: "Made anew of the whole graph" },
    refusals: NEEDS_READY,
  },
  {
    method: "post",
    path: "/sync/{graph_id}/snapshot/upload",
    tag: "sync",
    summary: "Rows in, by several calls of which the last makes them the graph's",
    description: "A body is one frame: its length in 4 bytes, big-endian, and Transit JSON of an " +
      "array of rows `[addr, content, addresses]`; gzipped or not.",
    query: [
      { name: "reset", in: "query", schema: { type: "boolean", default: true } },
      { name: "finished", in: "query", schema: { type: "boolean", default: false } },
      { name: "checksum", in: "query", schema: { type: "string", pattern: "^[0-9a-f]{16}$" } },
    ],
    body: "bytes",
    answer: { schemas: ["Uploaded"], text: "count: the rows in this call" },
    refusals: [
      ...NEEDS_GRAPH,
      "missing body",
      "invalid body",
      "invalid snapshot",
      "body too large",
      "snapshot row too large",
      "no snapshot upload",
    ],
  },
  {
    method: "get",
    path: "/sync/{graph_id}/snapshot/download",
    tag: "sync",
    summary: "Where to fetch all rows of the version that the caller's last pull told",
    answer: { schemas: ["Download"], text: "url: to be fetched with the same token" },
    refusals: [...NEEDS_READY, "graph replaced"],
  },
  {
    method: "get",
    path: "/sync/{graph_id}/snapshot/stream",
    tag: "sync",
    summary: "All rows of one version, in frames as upload takes them",
    query: [
      integer("t", "the version; the current one without it", { minimum: 0 }),
      { name: "log", in: "query", description: "of which log", schema: { type: "string" } },
    ],
    answer: { type: FRAMES_TYPE, text: "Frames; `x-snapshot-row-count` says how many rows" },
    refusals: NEEDS_READY,
  },
  {
    method: "delete",
    path: "/sync/{graph_id}/admin/reset",
    tag: "sync",
    summary: "Empties log and rows, and sets t to 0; the graph itself stays; for managers",
    answer: { schemas: ["Ok"], text: "Empty" },
    refusals: NEEDS_GRAPH,
  },
  {
    method: "get",
    path: "/assets/{graph_id}/{asset}",
    tag: "assets",
    summary: "A file",
    answer: { type: ANY_TYPE, text: "Its bytes, with the content-type that it was uploaded with" },
    also: { 206: "The bytes that `Range` asks for", 304: "`If-None-Match` has its ETag" },
    refusals: [...NEEDS_ASSET, "range not satisfiable"],
  },
  {
    method: "put",
    path: "/assets/{graph_id}/{asset}",
    tag: "assets",
    summary: "Uploads a file, or replaces it; at most 100 MiB, of an encrypted graph 200 MiB",
    body: "bytes",
    answer: { schemas: ["Ok"], text: "All of it is stored" },
    refusals: [...NEEDS_ASSET, "asset too large", "checksum mismatch", "invalid body"],
  },
  {
    method: "delete",
    path: "/assets/{graph_id}/{asset}",
    tag: "assets",
    summary: "Removes a file",
    answer: { schemas: ["Ok"], text: "It is gone" },
    refusals: NEEDS_ASSET,
  },
  {
    method: "get",
    path: "/health",
    tag: "server",
    summary: "Is the process there",
    answer: { schemas: ["Ok"], text: "Yes" },
    refusals: [],
  },
  {
    method: "get",
    path: "/ready",
    tag: "server",
    summary: "Does its database answer",
    answer: { schemas: ["Ok"], text: "Yes" },
    refusals: ["not ready"],
  },
  {
    method: "get",
    path: "/metrics",
    tag: "server",
    summary: "Counts in Prometheus's text format, where METRICS asks for them",
    description: "With a token in METRICS, that one is the bearer, not a user's.",
    answer: { type: "text/plain", text: "A line for each series" },
    refusals: ["unauthorized", "not found"],
  },
  {
    method: "get",
    path: "/openapi.json",
    tag: "server",
    summary: "This description",
    answer: { type: "application/json", text: "OpenAPI 3.1" },
    refusals: [],
  },
];

/** Every name that a path has in braces. */
const PATH_PARAMETERS: readonly Json[] = [
  { name: "graph_id", in: "path", required: true, schema: { type: "string", format: "uuid" } },
  {
    name: "user_id",
    in: "path",
    required: true,
    description: "The claim `sub` of the user's token",
    schema: { type: "string" },
  },
  {
    name: "asset",
    in: "path",
    required: true,
    description: "A UUID and an extension, such as 6f1e2d3c-0000-4000-8000-000000000001.png",
    schema: { type: "string" },
  },
];

/** The whole description. */
export function openApiDocument(): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of OPERATIONS) {
    (paths[operation.path] ??= {})[operation.method] = operationObject(operation);
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Logseq sync server",
      version: "1",
      description: "Everything but the open routes needs a token. Errors are " +
        '`{"error":…}` with one of the words listed at each route; any route may also answer ' +
        "500 `server error`. The protocol has two dialects: schemas named `Todays…` are that of " +
        "Logseq's clients of today, where it isn't that of its first ones.",
    },
    servers: [{ url: "./" }],
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        query: { type: "apiKey", in: "query", name: "token" },
      },
    },
  };
}

function operationObject(operation: Operation): Json {
  const { method, path, tag, summary, description, query = [], body, refusals, also = {} } =
    operation;
  const parameters = [
    ...PATH_PARAMETERS.filter(({ name }) => path.includes(`{${name}}`)),
    ...query,
  ];
  return {
    operationId: `${method} ${path}`.replaceAll(/[^a-z0-9]+/g, "_").replace(/_$/, ""),
    tags: [tag],
    summary,
    ...description !== undefined && { description },
    ...refusals.includes("unauthorized") && { security: [{ bearer: [] }, { query: [] }] },
    ...parameters.length > 0 && { parameters },
    ...body !== undefined && { requestBody: { required: true, content: contentOf(body) } },
    responses: { ...answerObject(operation), ...alsoObject(also), ...refusalObjects(refusals) },
  };
}

function contentOf(body: readonly SchemaName[] | "bytes"): Json {
  return body === "bytes"
    ? { "application/octet-stream": {} }
    : { "application/json": { schema: anyOf(body) } };
}

function answerObject({ answer }: Operation): Json {
  const { status = 200, text: description } = answer;
  if (!("schemas" in answer)) {
    const content = answer.type === undefined ? {} : { content: { [answer.type]: {} } };
    return { [status]: { description, ...content } };
  }
  const schema = anyOf(answer.schemas);
  return { [status]: { description, content: { "application/json": { schema } } } };
}

/** Not `oneOf`: what the dialects share is in both. */
function anyOf(names: readonly SchemaName[]): Json | undefined {
  const [first, ...more] = names.map(ref);
  return more.length === 0 ? first : { anyOf: [first, ...more] };
}

function alsoObject(also: Readonly<Record<number, string>>): Json {
  return Object.fromEntries(
    Object.entries(also).map(([status, description]) => [
      status,
      { description, ...status !== "304" && { content: { [ANY_TYPE]: {} } } },
    ]),
  );
}

/** One answer for each status, with just the words that this route has. */
function refusalObjects(words: readonly ErrorWord[]): Json {
  const byStatus = new Map<ErrorStatus, ErrorWord[]>();
  for (const word of words) {
    byStatus.set(errorStatus[word], [...byStatus.get(errorStatus[word]) ?? [], word]);
  }
  return Object.fromEntries([...byStatus].map(([status, some]) => [status, {
    description: some.join(", "),
    content: {
      "application/json": {
        schema: {
          type: "object",
          properties: { error: { enum: some } },
          required: ["error"],
          additionalProperties: false,
        },
      },
    },
  }]));
}

/** As they are on the wire: what a parser then makes of it is of no concern here. */
function componentSchemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { io: "input", uri: (id) => ref(id).$ref });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  );
}

function ref(name: string): { readonly $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

function integer(name: string, description: string, bounds: Json): Json {
  return { name, in: "query", description, schema: { type: "integer", ...bounds } };
}
