/**
 * Bodies and answers of `/e2ee` (upstream.md §1.13). Keys are the clients' own texts: the server keeps
 * them and never looks into one. Bodies are read leniently, answers are strict.
 */
import { z } from "zod";
import { emailSchema } from "../id_schema.ts";

/** Longer than any key of a client by far, and two of them still fit into a value of the store. */
export const MAX_KEY_LENGTH = 16_000;
/** Grants in one body: each of them is a commit. */
const MAX_GRANTS = 1000;

const keySchema = z.string().min(1).max(MAX_KEY_LENGTH);

/** `POST /e2ee/user-keys`, and its answer. */
export const keyPairSchema = z.object({
  "public-key": keySchema,
  "encrypted-private-key": keySchema,
});
/** `GET /e2ee/user-keys`: no fields where the user has no keys. */
export const keyPairAnswerSchema = z.union([keyPairSchema.strict(), z.strictObject({})]);

/** `GET /e2ee/user-public-key?email=`: no field where there is no such user, or no key of his. */
export const publicKeyAnswerSchema = z.strictObject({ "public-key": keySchema.exactOptional() });

/** `POST /e2ee/graphs/:graph-id/aes-key`, and its answer. */
export const graphKeySchema = z.object({ "encrypted-aes-key": keySchema });
/** `GET` the same. The one place where a client expects `null` in the place of nothing. */
export const graphKeyAnswerSchema = z.strictObject({ "encrypted-aes-key": keySchema.nullable() });

/** Of what is taken for an e-mail, as it is told again; longer than any address. */
const MAX_ASKED = 1000;
const askedSchema = z.string().max(MAX_ASKED);

/** Upstream's document calls the field `user/email`, its code `email`: either is taken. */
const grantSchema = z.union([
  z.object({ "email": askedSchema, "encrypted-aes-key": keySchema }),
  z.object({ "user/email": askedSchema, "encrypted-aes-key": keySchema })
    .transform((grant) => ({ ...grant, "email": grant["user/email"] })),
]).transform((grant) => ({
  /** As it was asked for: so it is told if there is no such member. */
  asked: grant.email,
  /** `undefined`: no e-mail address at all, so nobody's. */
  email: emailSchema.safeParse(grant.email).data,
  key: grant["encrypted-aes-key"],
}));

/** `POST /e2ee/graphs/:graph-id/grant-access`. */
export const grantAccessBodySchema = z.object({
  "target-user-email+encrypted-aes-key-coll": z.array(grantSchema).max(MAX_GRANTS),
}).transform((body) => body["target-user-email+encrypted-aes-key-coll"]);
/** `missing-users`: e-mails of which there is no member of the graph; they got nothing. */
export const grantAccessAnswerSchema = z.strictObject({
  "ok": z.literal(true),
  "missing-users": z.array(z.string()),
});

export type KeyPair = z.output<typeof keyPairSchema>;
export type Grant = z.output<typeof grantSchema>;
