/**
 * Everything that a client says on a socket: the first half of the WebSocket protocol
 * (protocol.md §1), and of it what today's clients say otherwise (today/). Text in, a
 * `ClientMessage` or the refusal to answer with out; whoever holds a `ClientMessage` need not check
 * it again. Unknown extra fields are ignored.
 *
 * "The seed's" dialect is that of Logseq's first version of this sync (January 2026), with which this
 * server began: `t_before`, transactions as texts. "Today's" is that of Logseq's clients as of August
 * 2026: `t-before`, entries with ids, and what is in today/.
 */
import { z } from "zod";
import { tSchema } from "./id_schema.ts";
import { T_ZERO } from "./ids.ts";
import { parseJson } from "./json.ts";
import { reject, type TxReject } from "./reject.ts";
import type { SocketError, SocketErrorWord } from "./server_message.ts";
import { entriesRefusal, type EntriesReject } from "./today/server_message.ts";
import { type EntriesBatch, isEntriesBatch, parseEntriesBatch } from "./today/tx_batch.ts";
import { presenceSchema } from "./today/presence.ts";
import { parseTxBatch, type TxBatch, txBatchBodySchema } from "./tx_batch.ts";

/** First frame of a client; `client` is its own name for its repository and means nothing here. */
const helloSchema = z.object({ type: z.literal("hello"), client: z.string() });
/** Asks for a pong. */
const pingSchema = z.object({ type: z.literal("ping") });
/** Asks for the entries after `since`; all of them without it. */
const pullSchema = z.object({
  type: z.literal("pull"),
  since: tSchema.optional().transform((since) => since ?? T_ZERO),
});
/** Uploads transactions on top of version `t_before`; see tx_batch.ts. */
const txBatchSchema = z.object({ type: z.literal("tx/batch"), ...txBatchBodySchema.shape });

export const clientMessageSchema = z.discriminatedUnion("type", [
  helloSchema,
  pingSchema,
  pullSchema,
  txBatchSchema,
  presenceSchema,
]);
export type ClientMessage =
  | z.output<typeof helloSchema | typeof pingSchema | typeof pullSchema | typeof presenceSchema>
  | SeedsTxBatch
  | TodaysTxBatch;

/** A `tx/batch` in the seed's dialect. */
export interface SeedsTxBatch extends TxBatch {
  readonly type: "tx/batch";
}

/** A `tx/batch` in today's dialect. */
export interface TodaysTxBatch {
  readonly type: "tx/batch of entries";
  readonly batch: EntriesBatch;
}

export type ParsedClientMessage =
  | { readonly ok: true; readonly message: ClientMessage }
  | { readonly ok: false; readonly answer: SocketError | TxReject | EntriesReject };

/** One text frame → the message, or what to answer instead of doing anything. */
export function parseClientMessage(text: string): ParsedClientMessage {
  const frame = envelopeSchema.safeParse(parseJson(text));
  if (!frame.success) return refuse("invalid request");
  switch (frame.data.type) {
    case "hello": {
      const hello = helloSchema.safeParse(frame.data);
      return hello.success ? { ok: true, message: hello.data } : refuse("invalid request");
    }
    case "ping":
      return { ok: true, message: { type: "ping" } };
    case "pull": {
      const pull = pullSchema.safeParse(frame.data);
      return pull.success ? { ok: true, message: pull.data } : refuse("invalid since");
    }
    case "tx/batch":
      return isEntriesBatch(frame.data) ? entriesMessage(frame.data) : txBatchMessage(frame.data);
    case "presence": {
      const presence = presenceSchema.safeParse(frame.data);
      return presence.success ? { ok: true, message: presence.data } : refuse("invalid request");
    }
    default:
      return refuse("unknown type");
  }
}

/** The `{"type":"error"}` frame with this word. */
export function socketError(message: SocketErrorWord): SocketError {
  return { type: "error", message };
}

const envelopeSchema = z.looseObject({ type: z.string() });

function txBatchMessage(frame: unknown): ParsedClientMessage {
  const parsed = parseTxBatch(frame);
  if (parsed.ok) return { ok: true, message: { type: "tx/batch", ...parsed.batch } };
  return {
    ok: false,
    answer: parsed.fault === "invalid tx" ? reject.invalidTx() : reject.invalidTBefore(),
  };
}

function entriesMessage(frame: unknown): ParsedClientMessage {
  const parsed = parseEntriesBatch(frame);
  return parsed.ok
    ? { ok: true, message: { type: "tx/batch of entries", batch: parsed.batch } }
    : { ok: false, answer: entriesRefusal(parsed.fault) };
}

function refuse(word: SocketErrorWord): ParsedClientMessage {
  return { ok: false, answer: socketError(word) };
}
