/** Tokens of an OpenID Connect provider: Cognito, where Logseq's accounts are, or any other. */
import { errors, type JWTPayload, jwtVerify } from "jose";
import { CLOCK_TOLERANCE_SECONDS, type KeySource } from "./key_source.ts";
import { KEYS_TIMING, type KeysAddress, type KeysTiming, remoteKeys } from "./remote_keys.ts";

/** Whose tokens are taken, and for whom they have to be made. */
export interface Provider extends KeysAddress {
  /** One of these; not empty. */
  readonly clientIds: readonly string[];
}

const ALGORITHMS = ["RS256", "ES256"];

/** Asks nothing of the provider yet. A token has to have an expiry. */
export function providerSource(provider: Provider, timing: KeysTiming = KEYS_TIMING): KeySource {
  const keys = remoteKeys(provider, timing);
  return {
    algorithms: ALGORITHMS,
    check: async (token) => {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ALGORITHMS,
        issuer: provider.issuer,
        requiredClaims: ["exp", "sub"],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
      });
      if (isMeantFor(payload, provider.clientIds)) return payload;
      throw new errors.JWTClaimValidationFailed("made for another client", payload, "aud");
    },
  };
}

/**
 * ID tokens, and access tokens as most providers make them, say in `aud` whom they are for.
 * Cognito's access tokens have no `aud`: they say `client_id`, and what they are in `token_use`. A
 * `client_id` beside another's `aud` is no way in, as such a token is for that other.
 */
function isMeantFor(claims: JWTPayload, clientIds: readonly string[]): boolean {
  const { aud, client_id: clientId, token_use: use } = claims;
  if (use !== undefined && use !== "id" && use !== "access") return false;
  if (aud === undefined) {
    return use === "access" && typeof clientId === "string" && clientIds.includes(clientId);
  }
  return [aud].flat().some((audience) => clientIds.includes(audience));
}
