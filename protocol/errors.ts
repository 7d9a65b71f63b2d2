/**
 * The words of an HTTP error body `{"error":…}` and the status that each one travels with
 * (protocol.md §2): a closed list, so that no other text (a cause, a stack) can reach a client.
 */
import { z } from "zod";

/** What an HTTP request can be refused with. */
export const errorWords = [
  "unauthorized",
  "forbidden",
  "not found",
  "missing graph id",
  "missing body",
  "invalid body",
  "invalid tx",
  "invalid since",
  "invalid asset path",
  "method not allowed",
  "user not found",
  "too many members",
  "asset too large",
  "body too large",
  "missing assets bucket",
  "server error",
] as const;
export type ErrorWord = (typeof errorWords)[number];
export type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 500;

/** Total: a new word without a status does not compile. */
export const errorStatus: Readonly<Record<ErrorWord, ErrorStatus>> = Object.freeze({
  "unauthorized": 401,
  "forbidden": 403,
  "not found": 404,
  "missing graph id": 400,
  "missing body": 400,
  "invalid body": 400,
  "invalid tx": 400,
  "invalid since": 400,
  "invalid asset path": 400,
  "user not found": 400,
  "too many members": 409,
  "method not allowed": 405,
  "asset too large": 413,
  "body too large": 413,
  "missing assets bucket": 500,
  "server error": 500,
});

/** Schema of every error body. */
export const errorBodySchema = z.strictObject({ error: z.enum(errorWords) });
export type ErrorBody = z.output<typeof errorBodySchema>;
