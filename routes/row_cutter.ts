/**
 * Cuts the rows out of an import's text as it comes in, and parses them some at a time: so neither
 * the text nor all its values are ever in memory as a whole. That is what a page of 50 MB needs, and
 * it makes one of 2 MB faster too: a text of that size alone cost as much as to parse it.
 */
import { MAX_JSON_DEPTH, MAX_JSON_VALUES } from "../protocol/json.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** What is before the bracket that the rows begin with; not the end of a longer key with a quote in it. */
const ROWS_KEY = /[\s{,]"rows"\s*:\s*$/;

/** So many characters before a bracket are looked at. */
const LOOK_BACK = 32;

/** The end of a row, and the next one up to its content. Within a text a backslash is before each quote. */
const ROW_END = /\],\[\d+,"/y;

/** Rows are elements of an array that is in the body. */
const ROWS_DEPTH = 2;

/** What is not cut out may have so many characters: it is parsed as a whole. */
const MAX_REST_LENGTH = 8 * 1024 * 1024;

export class RowCutter {
  readonly #take: (rows: readonly unknown[]) => boolean;
  #depth = 0;
  /** As JsonShape counts them; but not those of rows that are cut ahead, of which a piece has few. */
  #values = 0;
  #inString = false;
  #escaped = false;
  /** What was not cut out. */
  #rest = "";
  #inRows = false;
  /** Of the array that is being read. */
  #hasRows = false;
  /** The beginning of a row that hasn't ended. */
  #begun = "";
  /** The end of the pieces before, for LOOK_BACK. */
  #before = "";

  /** @param take gets rows in order, as values that nobody has looked at, and answers whether they are good */
  constructor(take: (rows: readonly unknown[]) => boolean) {
    this.#take = take;
  }

  /**
   * The text without the rows that were taken. There may be some in it still, if their key is written
   * in an unusual way (with escapes, or far from its bracket).
   */
  get rest(): string {
    return this.#rest;
  }

  /**
   * Goes on with more of the text, cut anywhere. Whether all of it is JSON shows when the rest is parsed.
   *
   * @returns whether it may still be good: not nested too deeply, not too many values, not much beside
   * the rows, and rows that are JSON and were taken
   */
  take(piece: string): boolean {
    /** Where what isn't dealt with yet begins. */
    let start = this.#cutAhead(piece);
    if (start === undefined) return false;
    let lastComma = -1;
    // Looked up once: a field is slower, and nearly all characters are within a text.
    let [inString, escaped] = [this.#inString, this.#escaped];
    for (let i = start; i < piece.length; i++) {
      const unit = piece.charCodeAt(i);
      if (inString) {
        if (escaped) escaped = false;
        else if (unit === BACKSLASH) escaped = true;
        else if (unit === QUOTE) inString = false;
      } else if (unit === QUOTE) inString = true;
      else if (unit === OPEN_ARRAY || unit === OPEN_OBJECT) {
        if (++this.#depth > MAX_JSON_DEPTH || ++this.#values > MAX_JSON_VALUES) return false;
        if (unit === OPEN_OBJECT || this.#depth !== ROWS_DEPTH || !this.#isRows(piece, i)) continue;
        this.#rest += piece.slice(start, i + 1);
        [start, this.#inRows, this.#hasRows] = [i + 1, true, false];
      } else if (unit === CLOSE_ARRAY || unit === CLOSE_OBJECT) {
        this.#depth--;
        if (!this.#inRows || this.#depth >= ROWS_DEPTH) continue;
        if (!this.#cut(piece.slice(start, i), true)) return false;
        [start, lastComma, this.#inRows] = [i, -1, false];
      } else if (unit === COMMA) {
        if (++this.#values > MAX_JSON_VALUES) return false;
        if (this.#inRows && this.#depth === ROWS_DEPTH) lastComma = i;
      }
    }
    [this.#inString, this.#escaped] = [inString, escaped];
    this.#before = (this.#before + piece.slice(-LOOK_BACK)).slice(-LOOK_BACK);
    if (!this.#inRows) {
      this.#rest += piece.slice(start);
      return this.#rest.length <= MAX_REST_LENGTH;
    }
    if (lastComma >= 0) {
      if (!this.#cut(piece.slice(start, lastComma), false)) return false;
      start = lastComma + 1;
    }
    this.#begun += piece.slice(start);
    return true;
  }

  /**
   * Cuts out all rows but the last without a look at each character, which is a third of what it takes
   * to read rows. A guess that is wrong is cut within a row, so that it is no JSON: nothing is lost then
   * but the time to find out, so not too much is tried. Rows that may be too deep are looked at.
   *
   * @returns where what isn't dealt with yet begins; `undefined`: the rows were not taken
   */
  #cutAhead(piece: string): number | undefined {
    if (!this.#inRows || this.#begun.length >= piece.length) return 0;
    const end = lastRowEnd(piece);
    if (end === undefined) return 0;
    const rows = parseElements(this.#begun + piece.slice(0, end));
    if (rows === undefined || !rows.every(isFlat)) return 0;
    [this.#depth, this.#inString, this.#escaped] = [ROWS_DEPTH, false, false];
    return this.#accept(rows) ? end + 1 : undefined;
  }

  #isRows(piece: string, bracket: number): boolean {
    const before = bracket < LOOK_BACK
      ? this.#before + piece.slice(0, bracket)
      : piece.slice(bracket - LOOK_BACK, bracket);
    return ROWS_KEY.test(before);
  }

  /** @param isEnd after these there are no more in the array; else there is a comma */
  #cut(text: string, isEnd: boolean): boolean {
    const rows = parseElements(this.#begun + text);
    if (rows === undefined) return false;
    // Between two commas, and behind one, there must be something.
    if (rows.length === 0 && (this.#hasRows || !isEnd)) return false;
    return this.#accept(rows);
  }

  #accept(rows: readonly unknown[]): boolean {
    [this.#begun, this.#hasRows] = ["", true];
    return rows.length === 0 || this.#take(rows);
  }
}

/** Where a row seems to end that another one follows, the last of these. */
function lastRowEnd(piece: string): number | undefined {
  for (let at = piece.lastIndexOf("],["); at > 0; at = piece.lastIndexOf("],[", at - 1)) {
    ROW_END.lastIndex = at;
    if (ROW_END.test(piece)) return at + 1;
  }
  return undefined;
}

function isFlat(row: unknown): boolean {
  return Array.isArray(row) && row.every((item) => typeof item !== "object" || item === null);
}

/** `undefined`: they are not JSON. */
function parseElements(text: string): readonly unknown[] | undefined {
  try {
    const values: unknown = JSON.parse(`[${text}]`);
    return Array.isArray(values) ? values : undefined;
  } catch {
    // SyntaxError: the client's text.
    return undefined;
  }
}
