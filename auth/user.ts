/** Whom a token speaks for, as its claims say. */
import type { JWTPayload } from "jose";
import { parseUserId, type UserId } from "../protocol/ids.ts";
import { CLOCK_TOLERANCE_SECONDS } from "./key_source.ts";

/** What a good token says of its user. */
export interface VerifiedUser {
  /** The claim `sub`. */
  readonly id: UserId;
  /** Left out where the provider says that nobody has verified it. */
  readonly email?: string;
  /** When the token ends, in ms since the epoch; one of the secret's may have no end. */
  readonly expiresAt?: number;
}

/** `undefined` for claims whose `sub` names nobody. */
export function userOf(claims: JWTPayload): VerifiedUser | undefined {
  const id = parseUserId(claims.sub);
  if (id === undefined) return undefined;
  const { email, email_verified: verified, exp } = claims;
  // Some providers write it as a string.
  const unverified = verified === false || verified === "false";
  return {
    id,
    ...typeof email === "string" && !unverified && { email },
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
