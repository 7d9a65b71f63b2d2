/** A JSON body through its schema, or the word for what is wrong with it. */
import type { z } from "zod";
import type { JsonBody } from "./json_body.ts";

export type ParsedBody<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly refusal: "missing body" | "invalid body" };

export function parseBody<Schema extends z.ZodType>(
  schema: Schema,
  body: JsonBody,
): ParsedBody<z.output<Schema>> {
  if (body.kind === "missing") return { ok: false, refusal: "missing body" };
  const parsed = body.kind === "json" ? schema.safeParse(body.value) : undefined;
  return parsed?.success
    ? { ok: true, value: parsed.data }
    : { ok: false, refusal: "invalid body" };
}
