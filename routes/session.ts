/**
 * Who is signed in at the pages: a cookie that holds the token itself, and is checked as any token
 * at each request. Only the pages look at it; the API takes no cookie, so that no other site can
 * make a browser use it.
 */
import type { Context } from "hono";
import { deleteCookie, setCookie } from "hono/cookie";
import type { SignIn, VerifyToken } from "../auth/verify.ts";
import type { UserId } from "../protocol/ids.ts";

const COOKIE = "sync_session";

/**
 * The cookie's value as it was set: no token has a character that would be escaped. Hono's getCookie decodes
 * it, and of what is no UTF-8 throws for each escape: 65 KB of anybody's took 0.15 s.
 */
const SESSION = new RegExp(`(?:^|;)[ \\t]*${COOKIE}=([\\w.-]+)[ \\t]*(?:;|$)`);

/** Browsers drop a cookie of more than 4096 bytes, name and attributes included, without a word. */
const MAX_TOKEN_CHARACTERS = 3800;

/** A day below the 400 that browsers keep a cookie at most: Hono throws where one is to be kept longer. */
const MAX_AGE_MS = 399 * 24 * 60 * 60 * 1000;

/** `too long`: good, but no cookie can hold it. */
export type SignedIn = "ok" | Extract<SignIn, { readonly ok: false }>["refusal"] | "too long";

/** Sets the cookie, which ends with the token, if the token is good. */
export async function signIn(c: Context, verify: VerifyToken, token: string): Promise<SignedIn> {
  const verified = await verify(token);
  if (!verified.ok) return verified.refusal;
  if (token.length > MAX_TOKEN_CHARACTERS) return "too long";
  const { expiresAt } = verified.user;
  setCookie(c, COOKIE, token, {
    httpOnly: true,
    sameSite: "Strict",
    path: "/",
    secure: isSecure(c),
    ...expiresAt !== undefined &&
      { expires: new Date(Math.min(expiresAt, Date.now() + MAX_AGE_MS)) },
  });
  return "ok";
}

export function signOut(c: Context): void {
  deleteCookie(c, COOKIE, { path: "/", secure: isSecure(c) });
}

export async function signedInUser(c: Context, verify: VerifyToken): Promise<UserId | undefined> {
  const token = c.req.header("cookie")?.match(SESSION)?.[1];
  const verified = token === undefined ? undefined : await verify(token);
  return verified?.ok ? verified.user.id : undefined;
}

/** Also behind a proxy that ends TLS. Who makes the header up harms nobody else's cookie. */
function isSecure(c: Context): boolean {
  return new URL(c.req.url).protocol === "https:" ||
    c.req.header("x-forwarded-proto") === "https";
}
