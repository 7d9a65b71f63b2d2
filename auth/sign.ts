/** Tokens made with AUTH_SECRET: those of `deno task token`, of `deno task dev`, and of the tests. */
import { type JWTPayload, SignJWT } from "jose";

/**
 * A token that verify.ts takes: HS256, claims `sub`, `iat`, `exp`.
 *
 * @param issuedAt ms since the epoch
 * @param lifetimeSeconds from `issuedAt` on; may be negative to make an expired one
 * @param claims further ones: `email`, `name`, …
 */
export function signToken(
  secret: string,
  sub: string,
  issuedAt: number,
  lifetimeSeconds: number,
  claims: JWTPayload = {},
): Promise<string> {
  const seconds = Math.floor(issuedAt / 1000);
  return new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setSubject(sub)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + lifetimeSeconds)
    .sign(new TextEncoder().encode(secret));
}
