import assert from "node:assert/strict";
import fc from "fast-check";
import { regroup } from "../../assets/regroup.ts";

Deno.test("Regrouped bytes are the same, in chunks of one size but the last, valid for as long as is said", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }),
    fc.integer({ min: 1, max: 17 }),
    fc.integer({ min: 1, max: 3 }),
    async (pieces, size, buffers) => {
      const bytes = pieces.flatMap((piece) => [...piece]);
      const held: Uint8Array[] = [];
      const seen: number[] = [];
      const lengths: number[] = [];
      for await (const chunk of regroup(ReadableStream.from(pieces), size, buffers)) {
        held.push(chunk);
        // The oldest one that is still to be valid is looked at only now.
        if (held.length === buffers) seen.push(...held.shift() ?? []);
        lengths.push(chunk.length);
      }
      for (const chunk of held) seen.push(...chunk);
      assert.deepEqual(seen, bytes);
      const full = Math.floor(bytes.length / size);
      const last = bytes.length % size;
      assert.deepEqual(lengths, [...Array(full).fill(size), ...last > 0 ? [last] : []]);
    },
  ));
});
