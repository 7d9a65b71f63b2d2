/** `pull/ok`: streamed over HTTP, one frame on a socket, from the same chunks. */
import type { T } from "../protocol/ids.ts";
import { jsonChunks } from "./json_chunks.ts";

/** The log after some version, as pull.ts reads it. */
export interface PulledLog {
  /** The version that the list reaches. */
  readonly t: T;
  /** Ascending by t; `json` is UTF-8 of `{"t":…,"tx":"…"}`. */
  readonly entries: AsyncIterable<{ readonly json: Uint8Array }>;
}

/** The answer in chunks, `t` before `txs`; see jsonChunks for size, memory and errors. */
export function pullAnswer(log: PulledLog): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  return jsonChunks(`{"type":"pull/ok","t":${log.t},"txs":[`, jsonOf(log.entries), "]}");
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
