/** Whom a token speaks for, as its claims say. */
import type { JWTPayload } from "jose";
import { parseUserId, type UserId } from "../protocol/ids.ts";
import { CLOCK_TOLERANCE_SECONDS } from "./key_source.ts";

/** A claim that is longer is left out: it goes into the store and to other members. */
const MAX_CLAIM = 320;

/** What a good token says of its user. */
export interface VerifiedUser {
  /** The claim `sub`. */
  readonly id: UserId;
  /** Left out where the token has none, as access tokens do, and where nobody has verified it. */
  readonly email?: string;
  /** The token says that its e-mail isn't verified: then the one that he had before isn't his, either. */
  readonly unverified?: true;
  /** `preferred_username`, else `cognito:username`, else `username` (upstream.md §1.12). */
  readonly username?: string;
  readonly name?: string;
  /** When the token ends, in ms since the epoch; one of the secret's may have no end. */
  readonly expiresAt?: number;
}

/** `undefined` for claims whose `sub` names nobody. */
export function userOf(claims: JWTPayload): VerifiedUser | undefined {
  const id = parseUserId(claims.sub);
  if (id === undefined) return undefined;
  const { email_verified: verified, exp } = claims;
  // Some providers write it as a string.
  const unverified = verified === false || verified === "false" ? true : undefined;
  const email = unverified ? undefined : textOf(claims.email);
  const username = textOf(claims.preferred_username) ?? textOf(claims["cognito:username"]) ??
    textOf(claims.username);
  const name = textOf(claims.name);
  return {
    id,
    ...email !== undefined && { email },
    ...unverified !== undefined && { unverified },
    ...username !== undefined && { username },
    ...name !== undefined && { name },
    ...exp !== undefined && { expiresAt: exp * 1000 },
  };
}

/**
 * Until when a socket may stay open that such a token opened: until the token's end. A token that
 * was taken after it, since clocks differ, is good until no request would be taken with it.
 *
 * @param expiresAt as in VerifiedUser; so is the answer
 * @param now ms since the epoch, at the opening
 */
export function socketEnd(expiresAt: number, now: number): number {
  return expiresAt > now ? expiresAt : expiresAt + CLOCK_TOLERANCE_SECONDS * 1000;
}

function textOf(claim: unknown): string | undefined {
  if (typeof claim !== "string") return undefined;
  const text = claim.trim();
  return text.length > 0 && text.length <= MAX_CLAIM ? text : undefined;
}
