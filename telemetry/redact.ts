/** The last net below "a token is never logged": nothing that looks like a JWT gets out. */

// Also what only begins like one, dots or none: to look for them from each `eyJ` on takes quadratic
// time. No header is as short as the rest of a word like `keyJoin`.
const JWT = /eyJ[\w-]{10,}(?:\.[\w-]*)*/g;
const BEARER = /(\bBearer +)[^\s"',]+/gi;
const TOKEN_PARAMETER = /([?&]token=)[^&\s"']+/g;

/** The text with every JWT, every bearer's and every value of a query parameter `token` unreadable. */
export function redact(text: string): string {
  return text.replace(TOKEN_PARAMETER, "$1[token]").replace(BEARER, "$1[token]").replace(
    JWT,
    "[token]",
  );
}
