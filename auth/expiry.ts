/** When a token ends. */
import { decodeJwt } from "jose";

/**
 * The claim `exp` in seconds since the epoch, of a token that verify.ts has let in; `undefined`
 * where it has none.
 */
export function expiryOf(token: string): number | undefined {
  return decodeJwt(token).exp;
}
