/**
 * Bodies and answers of `/graphs/:graph-id/members` (upstream.md §1.2, §1.14), in today's dialect: the
 * seed's knows no members. Bodies are read leniently, answers are strict.
 */
import { z } from "zod";
import { graphsAnswerSchema, millisSchema } from "../http.ts";
import { emailSchema, graphIdSchema, userIdSchema } from "../id_schema.ts";
import { roleSchema } from "../role.ts";
import { listedGraphSchema } from "./http.ts";

/** A user of this server, by his id or by his e-mail address; of a body with both the id counts. */
const whomSchema = z.union([
  z.object({ "user-id": userIdSchema }).transform((body) => ({ id: body["user-id"] })),
  z.object({ email: emailSchema }),
]);

/** `POST …/members`. Without a role he stays what he is; who is none yet becomes a member. */
export const addMemberBodySchema = z.intersection(
  whomSchema,
  z.object({ role: roleSchema.optional() }),
);

/** `PUT …/members/:user-id`. */
export const setRoleBodySchema = z.object({ role: roleSchema });

/** One who may use the graph. Of its creator there is no `invited-by`. */
const listedMemberSchema = z.strictObject({
  "user-id": userIdSchema,
  "graph-id": graphIdSchema,
  "role": roleSchema,
  "invited-by": userIdSchema.exactOptional(),
  "created-at": millisSchema,
  /** As his last token said. */
  "email": z.string().exactOptional(),
  "username": z.string().exactOptional(),
});

/** `GET …/members`: the creator, then the others. */
export const membersAnswerSchema = z.strictObject({ members: z.array(listedMemberSchema) });

/** What `GET /graphs` says of the caller and a graph, beside the graph itself. */
export const roleInGraphSchema = z.object({
  "role": roleSchema,
  /** Not of one's own graph. */
  "invited-by": userIdSchema.exactOptional(),
});

/** `GET /graphs`, whole. */
export const graphsTodayAnswerSchema = z.strictObject({
  "graphs": z.array(z.strictObject({
    ...graphsAnswerSchema.shape.graphs.element.shape,
    ...listedGraphSchema.shape,
    ...roleInGraphSchema.shape,
  })),
  /** Whether the caller has a pair of keys (e2ee.ts). */
  "user-rsa-keys-exists?": z.boolean(),
});

export type RoleInGraph = z.output<typeof roleInGraphSchema>;
export type ListedMember = z.output<typeof listedMemberSchema>;
