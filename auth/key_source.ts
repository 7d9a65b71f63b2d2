/** What a token is checked with. verify.ts picks the source; each says yes or no for itself. */
import type { JWTPayload } from "jose";

/** Clocks of the issuer and of this server may differ by this much (claims exp and nbf). */
export const CLOCK_TOLERANCE_SECONDS = 60;

/** The operator's secret, or a provider. */
export interface KeySource {
  /**
   * The values of a token's header `alg` that are this source's, and no other's: so a token can
   * choose a source, but never the key of one with the algorithm of another (RFC 8725 §3.1).
   */
  readonly algorithms: readonly string[];
  /**
   * The claims of a token that is good.
   *
   * @throws {errors.JOSEError} the token is not
   * @throws {KeysUnavailableError} nobody can tell now
   */
  readonly check: (token: string) => Promise<JWTPayload>;
}

/** The keys that would tell whether a token is good can't be had at the moment. */
export class KeysUnavailableError extends Error {
  override readonly name = "KeysUnavailableError";
}
