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
  "checksum mismatch",
  "range not satisfiable",
  "invalid snapshot",
  "method not allowed",
  "graph not ready",
  "graph replaced",
  "no snapshot upload",
  "snapshot row too large",
  "user not found",
  "missing user rsa key pair",
  "duplicate graph name",
  "too many members",
  "asset too large",
  "body too large",
  "unsupported content-encoding",
  "too many requests",
  "too many sockets",
  "too many graphs",
  "sign-in unavailable",
  "missing assets bucket",
  "server error",
  "not ready",
] as const;
export type ErrorWord = (typeof errorWords)[number];
export type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 416 | 429 | 500 | 503;

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
  "checksum mismatch": 400,
  "range not satisfiable": 416,
  "invalid snapshot": 400,
  "user not found": 400,
  "missing user rsa key pair": 400,
  "duplicate graph name": 400,
  "too many members": 409,
  "method not allowed": 405,
  "graph not ready": 409,
  "graph replaced": 409,
  "no snapshot upload": 409,
  "snapshot row too large": 413,
  "asset too large": 413,
  "body too large": 413,
  "unsupported content-encoding": 415,
  "too many requests": 429,
  "too many sockets": 429,
  "too many graphs": 409,
  "sign-in unavailable": 503,
  "missing assets bucket": 500,
  "server error": 500,
  "not ready": 503,
});

/** Schema of every error body. */
export const errorBodySchema = z.strictObject({ error: z.enum(errorWords) });
export type ErrorBody = z.output<typeof errorBodySchema>;
