/** Is this token ours, and whose is it: HS256 with the server's secret, checked by jose. */
import { errors, jwtVerify } from "jose";
import { userOf, type VerifiedUser } from "./user.ts";

/** Clocks of the issuer and of this server may differ by this much (claims exp and nbf). */
export const CLOCK_TOLERANCE_SECONDS = 60;

/** The user that a token speaks for, or `undefined` for one that is forged, expired or malformed. */
export type VerifyToken = (token: string) => Promise<VerifiedUser | undefined>;

/**
 * Imports the secret once. The algorithm is pinned: a token's header can't choose `none` or another
 * one. `exp` and `nbf` are checked where a token has them; `sub` must be a non-empty string.
 *
 * @param secret UTF-8 text of at least 32 bytes (RFC 7518 §3.2; config.ts checks it)
 */
export async function createVerifier(secret: string): Promise<VerifyToken> {
  const key = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(secret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["verify"],
  );
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ["HS256"],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
      });
      return userOf(payload);
    } catch (cause) {
      // jose throws for each way in which a token can be bad; anything else is a fault of ours.
      if (cause instanceof errors.JOSEError) return undefined;
      throw cause;
    }
  };
}
