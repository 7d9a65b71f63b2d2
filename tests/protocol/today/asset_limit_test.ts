import assert from "node:assert/strict";
import { maxAssetBytes } from "../../../protocol/today/asset_limit.ts";

Deno.test("An asset may have 100 MiB, one of an encrypted graph 200", () => {
  assert.deepEqual([maxAssetBytes(false), maxAssetBytes(true)], [104_857_600, 209_715_200]);
});
