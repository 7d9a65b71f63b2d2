/**
 * Reads the body of `snapshot/import` row by row as it comes in, so that a page of 50 MB never is in
 * memory as a text. What is wrong with it shows at the latest at its end, before anything is stored.
 */
import { JSONParser } from "@streamparser/json";
import { z } from "zod";
import type { ErrorWord } from "../protocol/errors.ts";
import { importRowSchema, MAX_BODY_BYTES } from "../protocol/http.ts";
import { ImportedRows } from "../sync/import.ts";
import { readBytes } from "./json_body.ts";

export type ImportBodyRead =
  | { readonly ok: true; readonly reset: boolean; readonly rows: ImportedRows }
  | { readonly ok: false; readonly refusal: ErrorWord };

/** As importBodySchema has it: `{"reset":bool?,"rows":[[addr,content,addresses],…]}`. */
export async function readImportBody(
  request: Request,
  maxBytes: number = MAX_BODY_BYTES,
): Promise<ImportBodyRead> {
  const body = new ImportBodyParser();
  const bytes = await readBytes(request, maxBytes, (chunk) => body.write(chunk));
  if (bytes === "too large") return { ok: false, refusal: "body too large" };
  if (bytes === 0) return { ok: false, refusal: "missing body" };
  return body.end();
}

class ImportBodyParser {
  readonly #rows = new ImportedRows();
  readonly #parser = new JSONParser({ paths: ["$.rows.*", "$.rows", "$.reset"], keepStack: false });
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
