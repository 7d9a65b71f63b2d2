/**
 * A provider's public keys: fetched when they are first needed, kept, fetched again when they are
 * old or a token names one that isn't there (the provider has rotated them). A provider that is
 * down is no reason to turn away whom the last keys know.
 */
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from "jose";
import { z } from "zod";
import { loggerFor } from "../telemetry/log.ts";
import { KeysUnavailableError } from "./key_source.ts";

/** Where keys are. */
export interface KeysAddress {
  /** Exactly as it stands in the claim `iss`. */
  readonly issuer: string;
  /** By default the issuer is asked (OpenID Connect Discovery §4). */
  readonly keysUrl?: string;
}

/** Ms each. */
export interface KeysTiming {
  /** Keys older than this are fetched again first: a key that was withdrawn is good for no longer. */
  readonly freshMs: number;
  /** While the provider is down they are used up to this age. */
  readonly staleMs: number;
  /** For a key that isn't there the provider is asked at most so often, whatever tokens come. */
  readonly cooldownMs: number;
  /** After a failure it is left alone for so long. */
  readonly retryMs: number;
  /** It has to answer within this. */
  readonly timeoutMs: number;
}

const SECOND = 1000;
const HOUR = 60 * 60 * SECOND;

export const KEYS_TIMING: KeysTiming = Object.freeze({
  freshMs: HOUR / 6,
  staleMs: 24 * HOUR,
  cooldownMs: 30 * SECOND,
  retryMs: 5 * SECOND,
  timeoutMs: 3 * SECOND,
});

const log = loggerFor("auth");

/** OpenID Connect Discovery §3, as far as it is needed. */
const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.url() });
const keySetSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

type FetchInit = Pick<RequestInit, "headers" | "signal" | "redirect">;

/**
 * Finds the key that a token's header names, for jose.
 *
 * Cost: mostly none; one or two requests to the provider when keys have to be fetched, which all
 * that wait for them share.
 *
 * @throws {errors.JWKSNoMatchingKey | errors.JWKSMultipleMatchingKeys} by the key found: the token
 * names none that there is
 * @throws {KeysUnavailableError} by the key found
 */
export function remoteKeys(address: KeysAddress, timing: KeysTiming): JWTVerifyGetKey {
  const { issuer, keysUrl } = address;
  // Of a clock that nobody sets: after one that went back a failure would count for as long as that.
  let fetchedAt = -Infinity;
  let failedAt = -Infinity;

  /** jose's own fetch, with the failures counted: jose would try again for each token. */
  async function fetchKeys(_url: string, init: FetchInit): Promise<Response> {
    if (performance.now() - failedAt < timing.retryMs) {
      throw new KeysUnavailableError("Cannot get keys as the provider failed a moment ago");
    }
    try {
      const url = keysUrl ?? await discover(issuer, init);
      const keys = keySetSchema.parse(await fetchJson(url, init));
      fetchedAt = performance.now();
      return Response.json(keys);
    } catch (cause) {
      failedAt = performance.now();
      log.warn("Cannot get the keys of {issuer}", { issuer, cause });
      throw new KeysUnavailableError("Cannot get keys from the provider", { cause });
    }
  }

  const remote = createRemoteJWKSet(new URL(keysUrl ?? issuer), {
    cacheMaxAge: timing.staleMs,
    cooldownDuration: timing.cooldownMs,
    timeoutDuration: timing.timeoutMs,
    [customFetch]: fetchKeys,
  });

  return async (header, token) => {
    if (performance.now() - fetchedAt >= timing.freshMs) {
      // Logged where it failed. The keys of before are as good as any, for a while.
      await remote.reload().catch(() => {});
    }
    try {
      return await remote(header, token);
    } catch (cause) {
      const named = cause instanceof errors.JWKSNoMatchingKey ||
        cause instanceof errors.JWKSMultipleMatchingKeys;
      if (named || cause instanceof KeysUnavailableError) throw cause;
      throw new KeysUnavailableError("Cannot use what the provider has for keys", { cause });
    }
  };
}

/** The address of the keys, as the issuer's own document has it; it has to be the issuer's own. */
async function discover(issuer: string, init: FetchInit): Promise<string> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const metadata = metadataSchema.parse(await fetchJson(url, init));
  if (metadata.issuer === issuer) return metadata.jwks_uri;
  throw new Error(`Cannot trust ${url} as it is of another issuer: ${metadata.issuer}`);
}

async function fetchJson(url: string, init: FetchInit): Promise<unknown> {
  const response = await fetch(url, init);
  if (response.status === 200) return await response.json();
  await response.body?.cancel();
  throw new Error(`Cannot read ${url}: status ${response.status}`);
}
