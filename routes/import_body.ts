/**
 * Reads the body of `snapshot/import` as it comes in, rows as bytes at once. What is wrong with it
 * shows at the latest at its end, before anything is stored. What becomes of a key that comes twice
 * is not told (RFC 8259 §4).
 */
import { z } from "zod";
import type { ErrorWord } from "../protocol/errors.ts";
import { importBodySchema, importRowSchema, MAX_ROW_LENGTH, rowLength } from "../protocol/http.ts";
import { parseJson } from "../protocol/json.ts";
import { ImportedRows } from "../sync/import.ts";
import type { Hold } from "./body_share.ts";
import { readBytes } from "./json_body.ts";
import { RowCutter } from "./row_cutter.ts";

export type ImportBodyRead =
  | { readonly ok: true; readonly reset: boolean; readonly rows: ImportedRows }
  | { readonly ok: false; readonly refusal: ErrorWord };

const rowsSchema = z.array(importRowSchema);

/** As importBodySchema has it: `{"reset":bool?,"rows":[[addr,content,addresses],…]}`. */
export async function readImportBody(
  request: Request,
  maxBytes: number,
  hold: Hold,
): Promise<ImportBodyRead> {
  const body = new ImportBodyReader();
  const bytes = await readBytes(request, maxBytes, hold, (chunk) => body.write(chunk));
  if (bytes === "too large") return { ok: false, refusal: "body too large" };
  if (bytes === "cut off") return { ok: false, refusal: "invalid body" };
  if (bytes === 0) return { ok: false, refusal: "missing body" };
  return body.end();
}

class ImportBodyReader {
  readonly #rows = new ImportedRows();
  readonly #cutter = new RowCutter((rows) => this.#add(rows));
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #valid = true;
  #excess: ErrorWord | undefined;

  /** Answers whether there is any use in more. */
  write(chunk: Uint8Array): boolean {
    const text = this.#decode(chunk);
    this.#valid = text !== undefined && this.#cutter.take(text);
    return this.#valid;
  }

  end(): ImportBodyRead {
    if (this.#excess !== undefined) return { ok: false, refusal: this.#excess };
    const isWhole = this.#valid && this.#decode() !== undefined;
    const rest = importBodySchema.safeParse(isWhole ? parseJson(this.#cutter.rest) : undefined);
    if (!rest.success) return { ok: false, refusal: "invalid body" };
    this.#addAll(rest.data.rows);
    if (this.#excess !== undefined) return { ok: false, refusal: this.#excess };
    return { ok: true, reset: rest.data.reset, rows: this.#rows };
  }

  #add(values: readonly unknown[]): boolean {
    const rows = rowsSchema.safeParse(values);
    return rows.success && this.#addAll(rows.data);
  }

  #addAll(rows: z.output<typeof rowsSchema>): boolean {
    for (const row of rows) {
      if (rowLength(row) > MAX_ROW_LENGTH) this.#excess ??= "snapshot row too large";
      else if (!this.#rows.add(row)) this.#excess ??= "body too large";
    }
    return this.#excess === undefined;
  }

  /** More of the text; without a chunk its end. `undefined`: it is not UTF-8. */
  #decode(chunk?: Uint8Array): string | undefined {
    try {
      return this.#decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      // TypeError: the client's bytes.
      return undefined;
    }
  }
}
