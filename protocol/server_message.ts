/**
 * Everything that a server says on a socket: the second half of the WebSocket protocol
 * (protocol.md §1). The server builds these objects by type; tests read every frame through
 * `parseServerMessage`, so that what is sent is what is written here, field for field.
 */
import { z } from "zod";
import { tSchema } from "./id_schema.ts";
import { txRejectSchema } from "./reject.ts";
import { editingSchema, onlineUsersSchema } from "./today/presence.ts";

/** The words of `{"type":"error"}`; the connection stays open after each. */
const socketErrorWords = [
  "invalid request",
  "unknown type",
  "invalid since",
  "server error",
] as const;
export type SocketErrorWord = (typeof socketErrorWords)[number];

/** One entry of the log: the version that it made, and the transaction as Transit JSON. */
const logEntrySchema = z.strictObject({ t: tSchema, tx: z.string() });

/**
 * Answer to hello: the graph's current version. Of a graph that today's clients use it has a
 * `checksum` too (today/server_message.ts).
 */
const helloAnswerSchema = z.strictObject({ type: z.literal("hello"), t: tSchema });
/**
 * Answer to pull: the entries with t > since, ascending; `t` is the version that the list reaches. On a
 * socket it ends once it has 8 MiB, and `changed` with the graph's version follows if that is later.
 */
export const pullOkSchema = z.strictObject({
  type: z.literal("pull/ok"),
  t: tSchema,
  txs: z.array(logEntrySchema),
});
/** The batch is stored; `t` is the version that it made. */
export const txBatchOkSchema = z.strictObject({ type: z.literal("tx/batch/ok"), t: tSchema });
/** News to the other sockets of a graph: its version is `t` now. */
const changedSchema = z.strictObject({ type: z.literal("changed"), t: tSchema });
const pongSchema = z.strictObject({ type: z.literal("pong") });
const socketErrorSchema = z.strictObject({
  type: z.literal("error"),
  message: z.enum(socketErrorWords),
});

/** Schema of every frame from the server; strict, as the seed client is. The last two never go to it. */
export const serverMessageSchema = z.union([
  helloAnswerSchema,
  pullOkSchema,
  txBatchOkSchema,
  txRejectSchema,
  changedSchema,
  pongSchema,
  socketErrorSchema,
  onlineUsersSchema,
  editingSchema,
]);

export type PullOk = z.output<typeof pullOkSchema>;
export type TxBatchOk = z.output<typeof txBatchOkSchema>;
export type SocketError = z.output<typeof socketErrorSchema>;
export type ServerMessage = z.output<typeof serverMessageSchema>;

/**
 * A frame's text → the message.
 *
 * @throws {Error} the text is not JSON or not a message of this protocol
 */
export function parseServerMessage(text: string): ServerMessage {
  return serverMessageSchema.parse(JSON.parse(text));
}
