/**
 * A client of today as far as the wire goes: what it sends, and what it lets pass of what it is sent
 * (upstream.md §1.3, §2.2). Its maps are open: a field that it doesn't know makes no difference; one
 * that it knows must be what it is to be, and null only where it is said here.
 */
import { z } from "zod";
import { txOf } from "./forms.ts";

/** An entry of a `tx/batch`. */
export interface WireEntry {
  readonly "tx": string;
  readonly "tx-id"?: string;
  readonly "outliner-op"?: string | null;
}

/** An entry of these forms, written in Transit's JSON, with an id of its own. */
export function entry(op: string, ...forms: readonly unknown[]): WireEntry & { "tx-id": string } {
  return { "tx": txOf(...forms), "tx-id": crypto.randomUUID(), "outliner-op": op };
}

/** Forms of a block that is made: as today's clients name it, by its uuid as a text. */
export function newBlock(uuid: string, title: string, ...more: readonly unknown[]): unknown[] {
  return [
    ["~:db/add", uuid, "~:block/uuid", `~u${uuid}`, 536870914],
    ["~:db/add", uuid, "~:block/title", title, 536870914],
    ...more.map((form) => Array.isArray(form) ? ["~:db/add", uuid, ...form] : form),
  ];
}

/** `[:block/uuid u]`, in Transit's JSON. */
export function lookup(uuid: string): unknown {
  return ["~:block/uuid", `~u${uuid}`];
}

const version = z.int().nonnegative();
const checksum = z.string().optional();
const uuid = z.guid();

const ok = z.object({ type: z.literal("tx/batch/ok"), t: version, checksum });
const reject = z.object({
  "type": z.literal("tx/reject"),
  "reason": z.enum([
    "stale",
    "empty tx data",
    "invalid tx",
    "invalid t-before",
    "db transact failed",
    "snapshot upload in progress",
  ]),
  "t": version.optional(),
  "success-tx-ids": z.array(uuid).optional(),
  "failed-tx-id": uuid.optional(),
  "missing-block-uuids": z.array(uuid).optional(),
  "error-detail": z.string().optional(),
  checksum,
  "data": z.string().optional(),
});
const pullOk = z.object({
  type: z.literal("pull/ok"),
  t: version,
  checksum,
  txs: z.array(z.object({
    "t": version,
    "tx": z.string(),
    "outliner-op": z.string().nullish(),
  })),
});

const message = z.discriminatedUnion("type", [
  z.object({ type: z.literal("hello"), t: version, checksum }),
  pullOk,
  ok,
  reject,
  z.object({ type: z.literal("changed"), t: version }),
  z.object({ type: z.literal("pong") }),
]);

/** News of who is here: it may come between any two others, and answers nothing. */
const peopleNews = z.union([
  z.object({
    "type": z.literal("online-users"),
    "online-users": z.array(z.object({ "user-id": z.string(), "email": z.string().optional() })),
  }),
  z.object({
    "type": z.literal("presence"),
    "user-id": z.string(),
    "editing-block-uuid": z.string().nullable(),
  }),
]);

export type TodaysMessage = z.output<typeof message>;
export type TodaysPullOk = z.output<typeof pullOk>;

/**
 * A frame as a client of today reads it; `undefined`: news of people.
 *
 * @throws {Error} it would get stuck on it: on `error` and on whatever it doesn't know
 */
export function parseTodaysMessage(text: string): TodaysMessage | undefined {
  const frame: unknown = JSON.parse(text);
  return peopleNews.safeParse(frame).success ? undefined : message.parse(frame);
}

/** As the seed's client reads it: its maps are open too, so what today's clients need is no harm. */
export function parseOpenly(text: string): SeedsMessage {
  return seedsMessage.parse(JSON.parse(text));
}

const seedsMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("hello"), t: version }),
  z.object({
    type: z.literal("pull/ok"),
    t: version,
    txs: z.array(z.object({ t: version, tx: z.string() })),
  }),
  z.object({ type: z.literal("tx/batch/ok"), t: version }),
  z.object({
    type: z.literal("tx/reject"),
    reason: z.enum(["stale", "cycle"]),
    t: version.optional(),
    data: z.string().optional(),
  }),
  z.object({ type: z.literal("changed"), t: version }),
  z.object({ type: z.literal("pong") }),
]);

export type SeedsMessage = z.output<typeof seedsMessage>;
