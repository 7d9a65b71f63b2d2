/** Whom a token speaks for, as its claims say. */
import type { JWTPayload } from "jose";
import { parseUserId, type UserId } from "../protocol/ids.ts";

/** A claim that is longer is left out: it goes into the store and to other members. */
const MAX_CLAIM = 320;

/** What a good token says of its user. */
export interface VerifiedUser {
  /** The claim `sub`. */
  readonly id: UserId;
  /** Left out where the provider says that nobody has verified it. */
  readonly email?: string;
  /** `preferred_username`, else `cognito:username`, else `username` (upstream.md §1.12). */
  readonly username?: string;
  readonly name?: string;
}

/** `undefined` for claims whose `sub` names nobody. */
export function userOf(claims: JWTPayload): VerifiedUser | undefined {
  const id = parseUserId(claims.sub);
  if (id === undefined) return undefined;
  const { email_verified: verified } = claims;
  // Some providers write it as a string.
  const unverified = verified === false || verified === "false";
  const email = unverified ? undefined : textOf(claims.email);
  const username = textOf(claims.preferred_username) ?? textOf(claims["cognito:username"]) ??
    textOf(claims.username);
  const name = textOf(claims.name);
  return {
    id,
    ...email !== undefined && { email },
    ...username !== undefined && { username },
    ...name !== undefined && { name },
  };
}

function textOf(claim: unknown): string | undefined {
  if (typeof claim !== "string") return undefined;
  const text = claim.trim();
  return text.length > 0 && text.length <= MAX_CLAIM ? text : undefined;
}
