/** Queries and answers of today's snapshots (upstream.md §1.10); what goes up and down: frames.ts. */
import { z } from "zod";
import { parseVersion } from "../http.ts";
import { type Generation, type GraphId, parseGeneration, type T } from "../ids.ts";

/** `POST /sync/:graph-id/snapshot/upload`; `count`: rows in this call. */
export const uploadAnswerSchema = z.strictObject({
  ok: z.literal(true),
  count: z.int().nonnegative(),
});

/** `GET /sync/:graph-id/snapshot/download`: an absolute `url`, to be fetched with the same token. */
export const downloadAnswerSchema = z.strictObject({
  "ok": z.literal(true),
  "key": z.string(),
  "url": z.url(),
  "content-encoding": z.literal("gzip").optional(),
});

export type UploadAnswer = z.output<typeof uploadAnswerSchema>;
export type DownloadAnswer = z.output<typeof downloadAnswerSchema>;

/** What the framed bytes are called. */
export const FRAMES_TYPE = "application/transit+json";

/** The first call of an upload resets, and is taken for that unless it says that it isn't. */
export function parseReset(text: string | undefined): boolean {
  return text !== "false" && text !== "0";
}

/** Only the last call says that it is the last. */
export function parseFinished(text: string | undefined): boolean {
  return text === "true" || text === "1";
}

/** A version of a graph: t means nothing without the log that it is of. */
export interface GraphVersion {
  readonly log: Generation;
  readonly t: T;
}

/**
 * Where a version is streamed from, below the server's address. The client fetches it as it is told,
 * later than it was told its t, and maybe from another instance: so all that is needed is in it.
 */
export function streamPath(graph: GraphId, { log, t }: GraphVersion): string {
  return `/sync/${graph}/snapshot/stream?t=${t}&log=${log}`;
}

/** The version in a query of `streamPath`; `current`: none was given. `undefined`: it is none. */
export function parseStreamVersion(
  t: string | undefined,
  log: string | undefined,
): GraphVersion | "current" | undefined {
  if (t === undefined && log === undefined) return "current";
  const version = parseVersion(t);
  const generation = parseGeneration(log);
  if (version === undefined || generation === undefined) return undefined;
  return { log: generation, t: version };
}
