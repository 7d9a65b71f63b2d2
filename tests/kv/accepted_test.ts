import assert from "node:assert/strict";
import {
  ACCEPTED_VERSIONS,
  acceptedSet,
  forgotten,
  readAccepted,
  rememberedSince,
} from "../../kv/accepted.ts";
import { CorruptValueError } from "../../kv/chunks.ts";
import { commitOrThrow } from "../../kv/commit.ts";
import { acceptedKey } from "../../kv/keys.ts";
import {
  type Generation,
  type GraphId,
  newGeneration,
  newGraphId,
  parseSentId,
  type SentId,
  type T,
} from "../../protocol/ids.ts";
import { version } from "../support/ids.ts";

function newId(): SentId {
  const id = parseSentId(`${crypto.randomUUID()}/0123456789abcdef`);
  assert.ok(id !== undefined);
  return id;
}

async function ids(
  kv: Deno.Kv,
  graph: GraphId,
  log: Generation,
  since: number,
  upTo: number,
): Promise<readonly { t: T; ids: readonly SentId[] }[]> {
  return await Array.fromAsync(readAccepted(kv, graph, log, version(since), version(upTo)));
}

Deno.test("The ids of a range of versions come in the order of these, of no other log", async () => {
  using kv = await Deno.openKv(":memory:");
  const [graph, log] = [newGraphId(), newGeneration()];
  const made = [1, 2, 5, 600].map((t) => ({ t: version(t), ids: [newId(), newId()] }));
  await commitOrThrow(kv, {
    sets: [
      ...made.map(({ t, ids }) => acceptedSet(graph, log, t, ids)),
      acceptedSet(graph, newGeneration(), version(2), [newId()]),
      acceptedSet(newGraphId(), log, version(2), [newId()]),
    ],
    deletes: [],
  });
  assert.deepEqual(await ids(kv, graph, log, 0, 1000), made);
  assert.deepEqual(await ids(kv, graph, log, 1, 5), made.slice(1, 3));
  assert.deepEqual(await ids(kv, graph, log, 5, 5), []);
});

Deno.test("A version's commit deletes the one id that is too old by then", () => {
  const [graph, log] = [newGraphId(), newGeneration()];
  assert.deepEqual(forgotten(graph, log, version(ACCEPTED_VERSIONS - 1)), []);
  assert.deepEqual(forgotten(graph, log, version(ACCEPTED_VERSIONS + 7)), [
    acceptedKey(graph, log, version(7)),
  ]);
  assert.equal(rememberedSince(version(ACCEPTED_VERSIONS + 7)), 7);
  assert.equal(rememberedSince(version(7)), 0);
});

Deno.test("An id that is none is an error", async () => {
  using kv = await Deno.openKv(":memory:");
  const [graph, log] = [newGraphId(), newGeneration()];
  for (const value of ["x", ["x"], newId()]) {
    await kv.set(acceptedKey(graph, log, version(1)), value);
    await assert.rejects(ids(kv, graph, log, 0, 1), CorruptValueError);
  }
});
