/** Tokens of whoever knows AUTH_SECRET: for people without a provider, and for `deno task token`. */
import { jwtVerify } from "jose";
import { CLOCK_TOLERANCE_SECONDS, type KeySource } from "./key_source.ts";

const ALGORITHMS = ["HS256"];

/**
 * Imports the secret once. `exp` and `nbf` are checked where a token has them: whoever knows the
 * secret may make one that never ends.
 *
 * @param secret UTF-8 text of at least 32 bytes (RFC 7518 §3.2; config.ts checks it)
 */
export async function secretSource(secret: string): Promise<KeySource> {
  const key = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(secret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["verify"],
  );
  return {
    algorithms: ALGORITHMS,
    check: async (token) => {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
      });
      return payload;
    },
  };
}
