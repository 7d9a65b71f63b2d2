/** `pull/ok`: streamed over HTTP, one frame on a socket, from the same chunks. */
import { Buffer } from "node:buffer";
import type { Checksum, T } from "../protocol/ids.ts";
import { jsonChunks } from "./json_chunks.ts";

/** The log after some version, as pull.ts reads it. */
export interface PulledLog {
  /** The version that the list reaches. */
  readonly t: T;
  /** Ascending by t; `json` as kv/txlog.ts says. */
  readonly entries: AsyncIterable<{ readonly json: Uint8Array }>;
  /**
   * Of a graph that today's clients use, as of t. To them each entry tells its outliner op, null
   * where none is known; the seed's take no notice of either.
   */
  readonly checksum?: Checksum | "unknown";
}

/** The answer in chunks, `t` before `txs`; see jsonChunks for size, memory and errors. */
export function pullAnswer(log: PulledLog): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { t, entries, checksum } = log;
  const told = checksum === undefined || checksum === "unknown" ? "" : `"checksum":"${checksum}",`;
  const items = checksum === undefined ? jsonOf(entries) : withOps(jsonOf(entries));
  return jsonChunks(`{"type":"pull/ok","t":${t},${told}"txs":[`, items, "]}");
}

/** The whole answer as one text, for a frame. Cost: the log after `since`, twice, in memory. */
export async function pullFrame(log: PulledLog): Promise<string> {
  const decoder = new TextDecoder();
  const texts: string[] = [];
  for await (const chunk of pullAnswer(log)) texts.push(decoder.decode(chunk));
  return texts.join("");
}

async function* jsonOf(entries: PulledLog["entries"]): AsyncGenerator<Uint8Array> {
  for await (const entry of entries) yield entry.json;
}

/** How an entry without an outliner op begins, and how it is to begin. */
const WITHOUT_OP = new TextEncoder().encode('{"t"');
const WITH_OP = new TextEncoder().encode('{"outliner-op":null,"t"');

async function* withOps(items: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const json of items) {
    const hasOp = WITHOUT_OP.some((byte, i) => json[i] !== byte);
    yield hasOp ? json : Buffer.concat([WITH_OP, json.subarray(WITHOUT_OP.length)]);
  }
}
