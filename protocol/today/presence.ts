/**
 * Who is here: messages of today's dialect (upstream.md §1.12). The seed's client throws on them, so
 * only a socket gets them that has said something in today's dialect itself.
 */
import { z } from "zod";
import { userIdSchema } from "../id_schema.ts";

/** A client's ids of blocks are UUIDs; what is longer is none. */
const blockSchema = z.string().max(64);

/** Client → server: the block that its user edits; `null`, nothing or blank: none. */
export const presenceSchema = z.object({
  "type": z.literal("presence"),
  "editing-block-uuid": blockSchema.nullish().transform((block) => block?.trim() || undefined),
});

/** A user with a socket of the graph, and what his token says of him. */
const onlineUserSchema = z.strictObject({
  "user-id": userIdSchema,
  "email": z.string().exactOptional(),
  "username": z.string().exactOptional(),
  "name": z.string().exactOptional(),
  "editing-block-uuid": blockSchema.exactOptional(),
});

/** Server → client: all who are here, each user once, whenever someone comes or goes. */
export const onlineUsersSchema = z.strictObject({
  "type": z.literal("online-users"),
  "online-users": z.array(onlineUserSchema),
});

/** Server → the others: what a user edits now. */
export const editingSchema = z.strictObject({
  "type": z.literal("presence"),
  "user-id": userIdSchema,
  "editing-block-uuid": blockSchema.nullable(),
});

export type OnlineUser = z.output<typeof onlineUserSchema>;
export type OnlineUsers = z.output<typeof onlineUsersSchema>;
export type Editing = z.output<typeof editingSchema>;
