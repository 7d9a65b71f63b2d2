/**
 * JSON texts from outside, and Transit, which is JSON too. One that is nested deeply, or has very many
 * values, costs far more to parse than to send (64 MiB of `[` and `]`: 2 GB, and seconds in which nobody
 * is answered; 60 MiB of `{},`: 17 s, and the process's end), so a text is looked through before it is
 * parsed.
 */

/** Arrays and objects in each other; the deepest body of the protocol, an import, has 3. */
export const MAX_JSON_DEPTH = 32;

/** The same in a transaction or a row, where each value may be an array with a tag. */
const MAX_TRANSIT_DEPTH = 1000;

/** Values in a text; a batch has one for each transaction, today's has ten. */
export const MAX_JSON_VALUES = 1_000_000;

/** The same in a transaction, where a form has five: half a million forms are more than fit in a batch. */
export const MAX_TRANSIT_VALUES = 3_000_000;

/**
 * Texts in a text, keys among them, that are whole numbers and short: no message has any. V8 (of Deno 2.9)
 * hashes them by their number alone (CVE-2026-21717), and a schema that copies an object of such keys takes
 * quadratic time: 900,000 of them, in 13 MB, kept everybody waiting for 100 s.
 */
export const MAX_JSON_NUMERALS = 1000;

/** One of them: all that V8 hashes so, or takes for a place in an array, are so short. Escapes are digits, too. */
const NUMERAL = /"(?:\d|\\u003\d){1,10}"/g;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const COMMA = 0x2c;

/** Follows a text piece by piece, and counts. Whether it is JSON at all is the parser's to say. */
export class JsonShape {
  readonly #maxDepth: number;
  readonly #maxValues: number;
  #depth = 0;
  /** Those that a comma follows, and those that hold others: at least half of all. */
  #values = 0;
  #inString = false;
  #escaped = false;

  constructor(maxDepth: number, maxValues: number) {
    this.#maxDepth = maxDepth;
    this.#maxValues = maxValues;
  }

  /**
   * Goes on with more of the text, cut anywhere: all that counts is ASCII, of which no other
   * character has a part, in UTF-8 nor in UTF-16.
   *
   * @returns whether it is still within both
   */
  take(piece: Uint8Array | string): boolean {
    const text = typeof piece === "string";
    for (let i = 0; i < piece.length; i++) {
      if (!this.#unit(text ? piece.charCodeAt(i) : piece[i])) return false;
    }
    return true;
  }

  #unit(unit: number | undefined): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (unit === BACKSLASH) this.#escaped = true;
      else if (unit === QUOTE) this.#inString = false;
    } else if (unit === QUOTE) this.#inString = true;
    else if (unit === COMMA) this.#values++;
    else if (unit === OPEN_ARRAY || unit === OPEN_OBJECT) {
      this.#depth++;
      this.#values++;
    } else if (unit === CLOSE_ARRAY || unit === CLOSE_OBJECT) this.#depth--;
    return this.#depth <= this.#maxDepth && this.#values <= this.#maxValues;
  }
}

/** Whether a text, if it is Transit at all, can be parsed at no great cost. */
export function isModestTransit(text: string, maxValues: number = MAX_TRANSIT_VALUES): boolean {
  return text.length <= MAX_TRANSIT_DEPTH ||
    new JsonShape(MAX_TRANSIT_DEPTH, maxValues).take(text);
}

function hasManyNumerals(text: string): boolean {
  let count = 0;
  for (const _ of text.matchAll(NUMERAL)) if (++count > MAX_JSON_NUMERALS) return true;
  return false;
}

/**
 * `undefined` for what is no JSON, or is too deep or too wide, or has too many numerals: no JSON text means
 * that.
 */
export function parseJson(text: string): unknown {
  if (!new JsonShape(MAX_JSON_DEPTH, MAX_JSON_VALUES).take(text)) return undefined;
  if (hasManyNumerals(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // SyntaxError: the client's text, so a refusal and no fault; which one is the caller's to say.
    return undefined;
  }
}
