/** The recorded transactions as those of one client. */
import { z } from "zod";
import { readBatches } from "../tests/support/fixtures.ts";

/** More than a client has. */
const TEMPIDS = 1e9;

const txSchema = z.tuple([z.literal("~#list"), z.array(z.array(z.unknown()))]);

/** In their order, so many in each batch; those sent in vain came again later. */
export function recorded(set: string, size: number): readonly (readonly string[])[] {
  const txs = readBatches(set).flatMap(({ client, txs, response }) =>
    response.type === "tx/batch/ok" ? txs.map((tx) => withOwnTempids(client, tx)) : []
  );
  const batches: string[][] = [];
  for (let start = 0; start + size <= txs.length; start += size) {
    batches.push(txs.slice(start, start + size));
  }
  return batches;
}

/** Two clients mean different entities by a tempid, which are not to meet in one batch. */
function withOwnTempids(client: string, tx: string): string {
  if (client === "A") return tx;
  const [tag, forms] = txSchema.parse(JSON.parse(tx));
  const renamed = forms.map(([operation, ...rest]) => [
    operation,
    ...rest.map((part) => typeof part === "number" && part < 0 ? part - TEMPIDS : part),
  ]);
  return JSON.stringify([tag, renamed]);
}
