/** Is this token good, and may its user in: the one answer that the routes ask for. */
import { decodeProtectedHeader, errors } from "jose";
import { allowList, type MayUse } from "./allow_list.ts";
import { type KeySource, KeysUnavailableError } from "./key_source.ts";
import { type Provider, providerSource } from "./provider.ts";
import { secretSource } from "./secret.ts";
import { userOf, type VerifiedUser } from "./user.ts";

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
    if (source === undefined) return UNAUTHORIZED;
    try {
      const user = userOf(await source.check(token));
      if (user === undefined) return UNAUTHORIZED;
      return mayUse(user) ? { ok: true, user } : { ok: false, refusal: "forbidden" };
    } catch (cause) {
      if (cause instanceof KeysUnavailableError) {
        return { ok: false, refusal: "sign-in unavailable" };
      }
      // jose throws for each way in which a token can be bad; anything else is a fault of ours.
      if (cause instanceof errors.JOSEError) return UNAUTHORIZED;
      throw cause;
    }
  };
}

const UNAUTHORIZED: SignIn = Object.freeze({ ok: false, refusal: "unauthorized" });

function algorithmOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).alg;
  } catch {
    // TypeError: the client's text is no token.
    return undefined;
  }
}
