/**
 * What the calls of a download, page after page, have to know of each other. Before each page a client
 * pulls, and takes the version that the last pull told for that of all its rows (protocol.md §3).
 */
import {
  type Download,
  readDownload,
  type Served,
  type Told,
  writeServed,
  writeTold,
} from "../kv/downloads.ts";
import type { Head } from "../kv/head.ts";
import { type GraphId, type T, TAIL_ADDR, type UserId } from "../protocol/ids.ts";
import type { PulledGraphLog } from "./pull.ts";
import { attempted, untilSettled } from "./settle.ts";

/** A page follows its pull at once, or the client has given up. */
const TOLD_MS = 60_000;

/** Who asks for no more pages for so long has given up. */
const SERVED_MS = 10 * 60_000;

export interface DownloadDeps {
  readonly kv: Deno.Kv;
  /** Ms since the epoch. */
  readonly now: () => number;
}

/** Whose download, and of what. */
export interface Downloader {
  readonly graph: GraphId;
  readonly caller: UserId;
}

/**
 * Remembers what a pull told. Of two that run at once the later version counts: rows that hold more
 * than the client was told of are no harm, since it pulls the rest again.
 *
 * @throws {Error} it isn't known to be written
 */
export async function rememberTold(
  { kv, now }: DownloadDeps,
  { graph, caller }: Downloader,
  { t, generation: log, checksum }: Pick<PulledGraphLog, "t" | "generation" | "checksum">,
): Promise<void> {
  await untilSettled<void>(`remember what a download of ${graph} was told`, async () => {
    const download = await readDownload(kv, graph, caller);
    if (download === undefined) return { done: undefined };
    const at = now();
    const told = toldOf(download, at);
    if (told?.log === log && told.t > t) return { done: undefined };
    const ofTodays = checksum === undefined ? {} : { ofTodays: true } as const;
    const outcome = await writeTold(kv, graph, caller, { log, t, at, ...ofTodays }, download);
    return attempted(outcome, undefined);
  });
}

/**
 * Remembers a page that isn't the last one.
 *
 * @param download as it was before the page
 * @throws {Error} it isn't known to be written
 */
export async function rememberServed(
  { kv }: DownloadDeps,
  { graph, caller }: Downloader,
  download: Download,
  served: Served,
): Promise<void> {
  let known: Download | undefined = download;
  await untilSettled<void>(`remember how far a download of ${graph} is`, async () => {
    known ??= await readDownload(kv, graph, caller);
    if (known === undefined) return { done: undefined };
    const outcome = await writeServed(kv, graph, caller, served, known);
    known = undefined;
    return attempted(outcome, undefined);
  });
}

/** The version that a page is to be of: the one that was told last, if it is of this log; else the head's. */
export function versionToServe(download: Download, head: Head, now: number): T {
  const told = toldOf(download, now);
  return told?.log === head.log && told.t < head.t ? told.t : head.t;
}

/**
 * Whether the last pull told a version of a log that is the graph's no more, and that its new one hasn't
 * reached: the client would take that version for the one of the rows of now, and never pull what leads
 * up to it. Rows that hold more than it was told of are no harm.
 */
export function isAhead(download: Download, head: Head, now: number): boolean {
  const told = toldOf(download, now);
  return told !== undefined && told.log !== head.log && told.t > head.t;
}

/** What the last pull told, as long as that counts. */
function toldOf({ told }: Download, now: number): Told | undefined {
  return told !== undefined && now - told.at <= TOLD_MS ? told : undefined;
}

/**
 * Whether a page after this address goes on with rows that the graph has no more: it asks for what
 * follows the last page, or, its answer lost, for that page again. What two devices of one user ask for
 * is not told apart, so that one may mix what it got before the other began anew.
 */
export function isCutOff({ served }: Download, head: Head, after: number, now: number): boolean {
  return served !== undefined && served.rows !== head.rows && now - served.at <= SERVED_MS &&
    after > TAIL_ADDR && (after === served.lastAddr || after === served.after);
}
