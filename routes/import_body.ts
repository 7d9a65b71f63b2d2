/**
 * Reads the body of `snapshot/import`. A page as clients send it (a few MB) is parsed whole, which is
 * about five times as fast; a longer one row by row as it comes in, so that a page of 50 MB never is
 * in memory as a text. What is wrong with it shows at the latest at its end, before anything is
 * stored. What becomes of a key that comes twice is not told (RFC 8259 §4).
 */
import { JSONParser } from "@streamparser/json";
import { z } from "zod";
import type { ErrorWord } from "../protocol/errors.ts";
import { importBodySchema, importRowSchema, MAX_BODY_BYTES } from "../protocol/http.ts";
import { JsonDepth, MAX_JSON_DEPTH, parseJson } from "../protocol/json.ts";
import { ImportedRows } from "../sync/import.ts";
import { readBytes } from "./json_body.ts";

export type ImportBodyRead =
  | { readonly ok: true; readonly reset: boolean; readonly rows: ImportedRows }
  | { readonly ok: false; readonly refusal: ErrorWord };

/** A body up to this size is parsed whole. */
const WHOLE_BODY_BYTES = 8 * 1024 * 1024;

/** As importBodySchema has it: `{"reset":bool?,"rows":[[addr,content,addresses],…]}`. */
export async function readImportBody(
  request: Request,
  maxBytes: number = MAX_BODY_BYTES,
  wholeBytes: number = WHOLE_BODY_BYTES,
): Promise<ImportBodyRead> {
  const start: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  let long: ImportBodyParser | undefined;
  const bytes = await readBytes(request, maxBytes, (chunk) => {
    size += chunk.length;
    if (long !== undefined) return long.write(chunk);
    start.push(chunk);
    if (size <= wholeBytes) return true;
    const parser = long = new ImportBodyParser();
    return start.splice(0).every((held) => parser.write(held));
  });
  if (bytes === "too large") return { ok: false, refusal: "body too large" };
  if (bytes === 0) return { ok: false, refusal: "missing body" };
  return long?.end() ?? parseWhole(start);
}

function parseWhole(chunks: readonly Uint8Array[]): ImportBodyRead {
  const text = textOf(chunks);
  const body = importBodySchema.safeParse(text === undefined ? text : parseJson(text));
  if (!body.success) return { ok: false, refusal: "invalid body" };
  const rows = new ImportedRows();
  for (const row of body.data.rows) rows.add(row);
  return { ok: true, reset: body.data.reset, rows };
}

/**
 * `undefined` for what is not UTF-8. Piece by piece: bytes and text of a page are so large that to
 * make them at once takes ten times as long (11 µs a row), by what memory costs that is new.
 */
function textOf(chunks: readonly Uint8Array[]): string | undefined {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    let text = "";
    for (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
    return text + decoder.decode();
  } catch {
    // TypeError: the client's bytes are not UTF-8, so they are not JSON either.
    return undefined;
  }
}

class ImportBodyParser {
  readonly #rows = new ImportedRows();
  readonly #parser = new JSONParser({ paths: ["$.rows.*", "$.rows", "$.reset"], keepStack: false });
  readonly #depth = new JsonDepth(MAX_JSON_DEPTH);
  #reset = false;
  #hasRows = false;
  #valid = true;

  constructor() {
    this.#parser.onValue = ({ value, key, parent, stack }) => {
      if (stack.length === 2) this.#row(value, parent);
      else if (key === "reset") this.#resetIs(value);
      else this.#rowsAre(value);
    };
    this.#parser.onError = () => this.#valid = false;
  }

  /** Answers whether there is any use in more. */
  write(chunk: Uint8Array): boolean {
    this.#valid &&= this.#depth.take(chunk);
    try {
      if (this.#valid) this.#parser.write(chunk);
    } catch {
      // The client's bytes are not UTF-8; what is no JSON comes by onError.
      this.#valid = false;
    }
    return this.#valid;
  }

  end(): ImportBodyRead {
    const whole = this.#valid && this.#parser.isEnded && this.#hasRows;
    return whole
      ? { ok: true, reset: this.#reset, rows: this.#rows }
      : { ok: false, refusal: "invalid body" };
  }

  #row(value: unknown, parent: unknown): void {
    const row = importRowSchema.safeParse(value);
    if (row.success) this.#rows.add(row.data);
    else this.#valid = false;
    // The parser would keep all rows for the value of `rows`.
    if (Array.isArray(parent)) parent.length = 0;
  }

  #rowsAre(value: unknown): void {
    // A second `rows` would come on top of the first.
    if (!Array.isArray(value) || this.#hasRows) this.#valid = false;
    this.#hasRows = true;
  }

  #resetIs(value: unknown): void {
    const reset = z.boolean().safeParse(value);
    if (reset.success) this.#reset = reset.data;
    else this.#valid = false;
  }
}
