/** Users that this server has seen, as their last token described them, and whose an e-mail is. */
import { z } from "zod";
import { userIdSchema } from "../protocol/id_schema.ts";
import { type Email, parseEmail, type UserId } from "../protocol/ids.ts";
import { checkOf, objectSet, type Outcome } from "./change.ts";
import { commit } from "./commit.ts";
import { getAll } from "./get_many.ts";
import { emailKey, userKey } from "./keys.ts";
import { parseFound } from "./stored.ts";

const profileSchema = z.object({
  email: z.string().exactOptional(),
  username: z.string().exactOptional(),
  name: z.string().exactOptional(),
});

/** What a token says of its user beside his id. Texts of at most 320 units (auth/user.ts). */
export type Profile = Readonly<z.output<typeof profileSchema>>;

/**
 * Keeps what a token said of a user, and that its e-mail address is his: from now on, if it was
 * another's, as providers give an address to a new account when the old one is gone. An address
 * that was his before is nobody's then. What a token is silent about stays as it was, since clients
 * send ID tokens and access tokens by turns. Writes nothing where all of it is known.
 *
 * @param unverified he has no address, whatever was known of him
 * @throws {CorruptValueError}
 */
export async function writeProfile(
  kv: Deno.Kv,
  user: UserId,
  told: Profile,
  unverified = false,
): Promise<Outcome | "known"> {
  const stored = await kv.get<unknown>(userKey(user));
  const before = parseProfile(stored);
  const merged: Profile = { ...before, ...told };
  const { email: _, ...withoutEmail } = merged;
  const profile: Profile = unverified ? withoutEmail : merged;
  const emails = emailsOf(before, profile);
  const owners = await kv.getMany<unknown[]>(emails.map(emailKey));
  const isHis = (email: Email): boolean => {
    const entry = owners[emails.indexOf(email)];
    return entry !== undefined && ownerOf(entry) === user;
  };
  const email = parseEmail(profile.email);
  const outdated = emails.filter((other) => other !== email && isHis(other));
  const next = profileOf(profile);
  const known = before !== undefined &&
    JSON.stringify(profileOf(before)) === JSON.stringify(next);
  if (known && outdated.length === 0 && (email === undefined || isHis(email))) return "known";
  return await commit(kv, {
    sets: [
      objectSet(userKey(user), next),
      ...email === undefined ? [] : [objectSet(emailKey(email), user)],
    ],
    deletes: outdated.map(emailKey),
    checks: [stored, ...owners].map(checkOf),
  });
}

/**
 * What is known of these users, in the same order; `undefined`: never seen. Read by `getAll`.
 *
 * @throws {CorruptValueError}
 */
export async function readProfiles(
  kv: Deno.Kv,
  users: readonly UserId[],
): Promise<readonly (Profile | undefined)[]> {
  return (await getAll(kv, users.map(userKey))).map(parseProfile);
}

/**
 * Whose an e-mail address is.
 *
 * @throws {CorruptValueError}
 */
export async function findByEmail(kv: Deno.Kv, email: Email): Promise<UserId | undefined> {
  return ownerOf(await kv.get<unknown>(emailKey(email)));
}

/** The addresses of some profiles, each once. */
function emailsOf(...profiles: readonly (Profile | undefined)[]): readonly Email[] {
  const emails = profiles.flatMap((profile) => parseEmail(profile?.email) ?? []);
  return [...new Set(emails)];
}

function parseProfile(entry: Deno.KvEntryMaybe<unknown>): Profile | undefined {
  return parseFound(profileSchema, entry);
}

function ownerOf(entry: Deno.KvEntryMaybe<unknown>): UserId | undefined {
  return parseFound(userIdSchema, entry);
}

/** Just this of a user, whatever else is there; the fields in one order. */
export function profileOf({ email, username, name }: Profile): Profile {
  return {
    ...email !== undefined && { email },
    ...username !== undefined && { username },
    ...name !== undefined && { name },
  };
}
