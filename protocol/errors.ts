/**
 * The words of an HTTP error body `{"error":…}` and the status that each one travels with
 * (protocol.md §2): a closed list, so that no other text (a cause, a stack) can reach a client.
 */
import { z } from "zod";

/** What an HTTP request can be refused with. */
export const errorStatus = Object.freeze(
  {
    "unauthorized": 401,
    "forbidden": 403,
    "not found": 404,
    "invalid host": 400,
    "invalid query": 400,
    "missing graph id": 400,
    "missing body": 400,
    "invalid body": 400,
    "invalid tx": 400,
    "invalid since": 400,
    "invalid asset path": 400,
    "checksum mismatch": 400,
    "range not satisfiable": 416,
    "invalid snapshot": 400,
    "method not allowed": 405,
    "graph not ready": 409,
    "graph replaced": 409,
    "no snapshot upload": 409,
    "snapshot row too large": 413,
    "user not found": 400,
    "missing user rsa key pair": 400,
    "duplicate graph name": 400,
    "too many members": 409,
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
  } as const,
);
export type ErrorWord = keyof typeof errorStatus;
export type ErrorStatus = (typeof errorStatus)[ErrorWord];

export const errorWords: readonly ErrorWord[] = Object.keys(errorStatus).filter(isErrorWord);

function isErrorWord(text: string): text is ErrorWord {
  return Object.hasOwn(errorStatus, text);
}

/** Schema of every error body. */
export const errorBodySchema = z.strictObject({ error: z.enum(errorWords) });
export type ErrorBody = z.output<typeof errorBodySchema>;
