/** Signs the tokens of every test's server; 32 bytes, as a secret must have at least. */
export const AUTH_SECRET = "0123456789abcdef0123456789abcdef";
