/** `pull/ok`: streamed over HTTP, some entries in a frame on a socket, from the same chunks. */
import { Buffer } from "node:buffer";
import type { Checksum, T } from "../protocol/ids.ts";
import { jsonChunks } from "./json_chunks.ts";

/** The log after some version, as pull.ts reads it. */
export interface PulledLog {
  /** The version that the list reaches. */
  readonly t: T;
  /** Ascending by t, in batches; `json` as kv/txlog.ts says. */
  readonly entries: AsyncIterable<readonly Entry[]>;
  /**
   * Of a graph that today's clients use, as of t. To them each entry tells its outliner op, null
   * where none is known; the seed's take no notice of either.
   */
  readonly checksum?: Checksum | "unknown" | undefined;
}

/** The answer in chunks, `t` before `txs`; see jsonChunks for size, memory and errors. */
export function pullAnswer(log: PulledLog): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { t, entries, checksum } = log;
  const told = checksum === undefined || checksum === "unknown" ? "" : `"checksum":"${checksum}",`;
  const shown = checksum === undefined ? jsonOf : jsonWithOp;
  return jsonChunks(`{"type":"pull/ok","t":${t},${told}"txs":[`, shownBy(shown, entries), "]}");
}

/**
 * No entry is added to a frame that has so many bytes: all of it is in memory several times until it is
 * read. In one frame a log of 150 MB took a gigabyte, and everybody waited for a second.
 */
const MAX_FRAME_BYTES = 8 * 1024 * 1024;

/** An answer for a socket. */
export interface PullFrame {
  /** The version that its list reaches: before the log's, where that is longer than a frame should be. */
  readonly t: T;
  readonly text: string;
}

/** The answer, or as much of it as a frame should hold. */
export async function pullFrame(log: PulledLog, maxBytes = MAX_FRAME_BYTES): Promise<PullFrame> {
  const start = await startOf(log, maxBytes);
  const decoder = new TextDecoder();
  const texts: string[] = [];
  for await (const chunk of pullAnswer(start)) texts.push(decoder.decode(chunk));
  return { t: start.t, text: texts.join("") };
}

async function startOf(log: PulledLog, maxBytes: number): Promise<PulledLog> {
  const taken: Entry[] = [];
  let bytes = 0;
  for await (const batch of log.entries) {
    for (const entry of batch) {
      const last = taken.at(-1);
      if (last !== undefined && bytes >= maxBytes) {
        // The checksum is of the version that the log reaches.
        const checksum = log.checksum && "unknown";
        return { t: last.t, entries: oneBatch(taken), checksum };
      }
      taken.push(entry);
      bytes += entry.json.length;
    }
  }
  return { ...log, entries: oneBatch(taken) };
}

async function* oneBatch(entries: readonly Entry[]): PulledLog["entries"] {
  yield entries;
}

type Entry = { readonly t: T; readonly json: Uint8Array };

async function* shownBy(
  shown: (entry: Entry) => Uint8Array,
  batches: PulledLog["entries"],
): AsyncGenerator<readonly Uint8Array[]> {
  for await (const batch of batches) yield batch.map(shown);
}

function jsonOf({ json }: Entry): Uint8Array {
  return json;
}

/** How an entry without an outliner op begins, and how it is to begin. */
const WITHOUT_OP = new TextEncoder().encode('{"t"');
const WITH_OP = new TextEncoder().encode('{"outliner-op":null,"t"');

function jsonWithOp({ json }: Entry): Uint8Array {
  const hasOp = WITHOUT_OP.some((byte, i) => json[i] !== byte);
  return hasOp ? json : Buffer.concat([WITH_OP, json.subarray(WITHOUT_OP.length)]);
}
