/** Is this token good, and may its user in: the one answer that the routes ask for. */
import { decodeProtectedHeader, errors } from "jose";
import { loggerFor } from "../telemetry/log.ts";
import { allowList, type MayUse } from "./allow_list.ts";
import { type KeySource, KeysUnavailableError } from "./key_source.ts";
import { type Provider, providerSource } from "./provider.ts";
import { secretSource } from "./secret.ts";
import { userOf, type VerifiedUser } from "./user.ts";

const log = loggerFor("auth");

/**
 * Of a token's header, which is parsed before anybody knows who has made it: V8 hashes numbers that are texts by
 * their number alone (protocol/json.ts), so 50,000 characters of anybody's took 0.15 s. Providers' have 200,
 * or some thousands with a certificate.
 */
const MAX_HEADER_CHARACTERS = 8192;

/**
 * `unauthorized`: the token is forged, expired, malformed, or for someone else. `forbidden`: it is
 * good, but its user is not on the list of this server. `sign-in unavailable`: the provider is
 * down, so that nobody can tell; the same token may be good later.
 */
export type SignIn =
  | { readonly ok: true; readonly user: VerifiedUser }
  | { readonly ok: false; readonly refusal: "unauthorized" | "forbidden" | "sign-in unavailable" };

export type VerifyToken = (token: string) => Promise<SignIn>;

/** Whose tokens are taken: a secret's, a provider's, or both, but never nobody's. */
export type SignInSettings =
  & {
    /** `sub`s and e-mails; empty lets everyone in who has a good token. */
    readonly allowed: readonly string[];
  }
  & (
    | { readonly secret: string; readonly provider?: Provider }
    | { readonly secret?: never; readonly provider: Provider }
  );

/** The verifier that settings ask for. */
export async function openVerifier(settings: SignInSettings): Promise<VerifyToken> {
  const { secret, provider, allowed } = settings;
  const sources: KeySource[] = [];
  if (secret !== undefined) sources.push(await secretSource(secret));
  if (provider !== undefined) sources.push(providerSource(provider));
  return createVerifier(sources, allowList(allowed));
}

/** A token is checked by the source whose algorithm its header names, and by no other. */
export function createVerifier(sources: readonly KeySource[], mayUse: MayUse): VerifyToken {
  return async (token) => {
    const alg = algorithmOf(token);
    const source = sources.find(({ algorithms }) => alg !== undefined && algorithms.includes(alg));
    if (source === undefined) {
      const taken = sources.flatMap(({ algorithms }) => algorithms).join(", ");
      return unauthorized(`its algorithm is none of ${taken}`);
    }
    try {
      const user = userOf(await source.check(token));
      if (user === undefined) return unauthorized("its sub names nobody");
      if (mayUse(user)) return { ok: true, user };
      log.debug("Refused {user}, who is not in ALLOWED_USERS", { user: user.id });
      return { ok: false, refusal: "forbidden" };
    } catch (cause) {
      if (cause instanceof KeysUnavailableError) {
        return { ok: false, refusal: "sign-in unavailable" };
      }
      // jose throws for each way in which a token can be bad; anything else is a fault of ours.
      if (cause instanceof errors.JOSEError) return unauthorized(whyNot(cause));
      throw cause;
    }
  };
}

/** @param why for the log: neither the token nor what a claim says */
function unauthorized(why: string): SignIn {
  log.debug("Refused a token: {why}", { why });
  return { ok: false, refusal: "unauthorized" };
}

/** jose's word, and which claim it is about. Its messages may tell more. */
function whyNot(cause: errors.JOSEError): string {
  const isClaim = cause instanceof errors.JWTClaimValidationFailed ||
    cause instanceof errors.JWTExpired;
  return isClaim ? `${cause.code} (${cause.claim})` : cause.code;
}

function algorithmOf(token: string): string | undefined {
  if (token.indexOf(".") > MAX_HEADER_CHARACTERS) return undefined;
  try {
    return decodeProtectedHeader(token).alg;
  } catch {
    // TypeError: the client's text is no token.
    return undefined;
  }
}
