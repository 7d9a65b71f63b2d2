/** `pull/ok`: streamed over HTTP, one frame on a socket, from the same chunks. */
import { Buffer } from "node:buffer";
import type { Checksum, T } from "../protocol/ids.ts";
import { jsonChunks } from "./json_chunks.ts";

/** The log after some version, as pull.ts reads it. */
export interface PulledLog {
  /** The version that the list reaches. */
  readonly t: T;
  /** Ascending by t, in batches; `json` as kv/txlog.ts says. */
  readonly entries: AsyncIterable<readonly { readonly json: Uint8Array }[]>;
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

/** The whole answer as one text, for a frame. Cost: the log after `since`, twice, in memory. */
export async function pullFrame(log: PulledLog): Promise<string> {
  const decoder = new TextDecoder();
  const texts: string[] = [];
  for await (const chunk of pullAnswer(log)) texts.push(decoder.decode(chunk));
  return texts.join("");
}

type Entry = { readonly json: Uint8Array };

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
