/**
 * Memory for values that come in numbers: node's pool, which many share. An ArrayBuffer for each costs
 * more, with what the collector has to do for it, than to write a row's JSON. A piece of the pool stays
 * as long as anything that is in it: so it is not for values that outlive those beside them.
 */
import { Buffer } from "node:buffer";

/** So many bytes, whatever is in them: the caller sets them all. */
export function newBytes(length: number): Uint8Array {
  return plain(Buffer.allocUnsafe(length));
}

/** One after the other, in memory of their own. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** The text's UTF-8. A lone surrogate becomes U+FFFD. */
export function utf8(text: string): Uint8Array {
  return plain(Buffer.from(text));
}

/** The same bytes, not as node's Buffer, whose `slice` is another one's. */
export function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
