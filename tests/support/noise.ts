/** Texts that no compression makes much smaller. */

let state = 1;

/**
 * Characters of base64, 6 bits of chance each: compresses to three quarters. Another text with each
 * call, the same ones in the same order in each run.
 */
export function noise(length: number): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const codes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    // Numerical Recipes' generator; its high bits are the good ones.
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    codes[i] = alphabet.charCodeAt(state >>> 26);
  }
  return new TextDecoder().decode(codes);
}
