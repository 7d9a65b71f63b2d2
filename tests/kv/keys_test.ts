import assert from "node:assert/strict";
import fc from "fast-check";
import {
  acceptedKey,
  assetKey,
  blobKey,
  creationKey,
  downloadKey,
  entriesPrefix,
  entriesRange,
  entryKey,
  type EntryPlace,
  garbageKey,
  garbagePrefix,
  goneKey,
  graphKey,
  graphKeyKey,
  headKey,
  instanceKey,
  keyPairKey,
  looseKey,
  memberKey,
  membershipKey,
  orphansKey,
  ownedKey,
  ownedPrefix,
  parseAcceptedKey,
  parseAssetKey,
  parseBlobKey,
  parseEntryKey,
  parseGarbageKey,
  parseGoneKey,
  parseGraphKeyKey,
  parseInstanceKey,
  parseLooseKey,
  parseMemberKey,
  parseMembershipKey,
  parseOrphansKey,
  parseOwnedKey,
  parsePresentKey,
  parseRowKey,
  peopleKey,
  presentKey,
  rowKey,
  rowPartsRange,
  type RowPlace,
  rowsAfter,
  rowsPrefix,
  userKey,
} from "../../kv/keys.ts";
import {
  type Addr,
  type Generation,
  type GraphId,
  newGeneration,
  newGraphId,
  parseAddr,
  parseAssetName,
  parseBlobId,
  parseGeneration,
  parseGraphId,
  parseT,
  parseUserId,
  type T,
  type UserId,
} from "../../protocol/ids.ts";

function parsed<Value>(value: Value | undefined): Value {
  assert.ok(value !== undefined);
  return value;
}

const graphs: fc.Arbitrary<GraphId> = fc.uuid().map((text) => parsed(parseGraphId(text)));
const generations: fc.Arbitrary<Generation> = fc.uuid().map((text) =>
  parsed(parseGeneration(text))
);
const users: fc.Arbitrary<UserId> = fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" })
  .map((text) => parsed(parseUserId(text)));
const ts: fc.Arbitrary<T> = fc.maxSafeNat().map((t) => parsed(parseT(t)));
const addrs: fc.Arbitrary<Addr> = fc.maxSafeNat().map((addr) => parsed(parseAddr(addr)));
const parts = fc.nat({ max: 5000 });

const entryPlaces: fc.Arbitrary<EntryPlace> = fc.record({
  graph: graphs,
  generation: generations,
  t: ts,
  part: parts,
}, { noNullPrototype: true });
const rowPlaces: fc.Arbitrary<RowPlace> = fc.record({
  graph: graphs,
  generation: generations,
  addr: addrs,
  part: parts,
}, { noNullPrototype: true });

Deno.test("A key that is listed says what it was built from", () => {
  fc.assert(fc.property(entryPlaces, rowPlaces, users, (entry, row, user) => {
    for (const list of ["log", "tail"] as const) {
      assert.deepEqual(parseEntryKey(list, entryKey(list, entry)), entry);
    }
    assert.deepEqual(parseRowKey(rowKey(row)), row);
    const { graph, generation } = entry;
    assert.deepEqual(parseOwnedKey(ownedKey(user, graph)), { user, graph });
    assert.deepEqual(parseGarbageKey(garbageKey(graph, generation)), { graph, generation });
    const accepted = acceptedKey(graph, generation, entry.t);
    assert.deepEqual(parseAcceptedKey(accepted), { graph, log: generation, t: entry.t });
    assert.deepEqual(parseMemberKey(memberKey(graph, user)), { graph, user });
    assert.deepEqual(parseMembershipKey(membershipKey(user, graph)), { graph, user });
    assert.deepEqual(parseOrphansKey(orphansKey(graph)), graph);
    const instance = generation;
    assert.deepEqual(parsePresentKey(presentKey(graph, instance)), { graph, instance });
    assert.equal(parseInstanceKey(instanceKey(instance)), instance);
  }));
});

Deno.test("A key of a file or a blob says what it was built from, and one of another kind doesn't", () => {
  fc.assert(fc.property(graphs, fc.uuid(), parts, (graph, uuid, part) => {
    const name = parsed(parseAssetName(`${uuid}.png`));
    const blob = parsed(parseBlobId(uuid));
    const keys = {
      asset: assetKey(graph, name),
      blob: blobKey({ graph, blob }, part),
      loose: looseKey({ graph, blob }),
      gone: goneKey(graph),
      garbage: garbageKey(graph, parsed(parseGeneration(uuid))),
    };
    assert.deepEqual(parseAssetKey(keys.asset), { graph, name });
    assert.deepEqual(parseBlobKey(keys.blob), { graph, blob, part });
    assert.deepEqual(parseLooseKey(keys.loose), { graph, blob });
    assert.equal(parseGoneKey(keys.gone), graph);
    const parsers = {
      asset: parseAssetKey,
      blob: parseBlobKey,
      loose: parseLooseKey,
      gone: parseGoneKey,
    };
    for (const [kind, parse] of Object.entries(parsers)) {
      for (const [other, key] of Object.entries(keys)) {
        assert.equal(parse(key) !== undefined, kind === other, `${other} as ${kind}`);
        assert.equal(parse([...key, 0]), undefined);
        assert.equal(parse(key.slice(0, -1)), undefined);
      }
    }
  }));
});

Deno.test("A key of another kind, cut or prolonged is none", () => {
  fc.assert(fc.property(entryPlaces, rowPlaces, users, (entry, row, user) => {
    const { graph, generation } = entry;
    const keys = {
      log: entryKey("log", entry),
      tail: entryKey("tail", entry),
      row: rowKey(row),
      owned: ownedKey(user, graph),
      garbage: garbageKey(graph, generation),
      accepted: acceptedKey(graph, generation, entry.t),
      graph: graphKey(graph),
      creation: creationKey(user),
      head: headKey(graph),
      member: memberKey(graph, user),
      membership: membershipKey(user, graph),
      orphans: orphansKey(graph),
      present: presentKey(graph, generation),
      people: peopleKey(graph),
      user: userKey(user),
      keyPair: keyPairKey(user),
      graphKey: graphKeyKey(graph, user),
      instance: instanceKey(generation),
      download: downloadKey(graph, user, "told"),
    };
    const parsers = {
      log: (key: Deno.KvKey) => parseEntryKey("log", key),
      tail: (key: Deno.KvKey) => parseEntryKey("tail", key),
      row: parseRowKey,
      owned: parseOwnedKey,
      garbage: parseGarbageKey,
      accepted: parseAcceptedKey,
      member: parseMemberKey,
      membership: parseMembershipKey,
      orphans: parseOrphansKey,
      present: parsePresentKey,
      instance: parseInstanceKey,
      graphKey: parseGraphKeyKey,
    };
    for (const [name, parse] of Object.entries(parsers)) {
      for (const [kind, key] of Object.entries(keys)) {
        assert.equal(parse(key) !== undefined, kind === name, `${kind} as ${name}`);
        assert.equal(parse([...key, 0]), undefined);
        assert.equal(parse(key.slice(0, -1)), undefined);
      }
    }
  }));
});

Deno.test("Entries sort by t, then by part, and a range has just those that it says", async () => {
  using kv = await Deno.openKv(":memory:");
  const [graph, generation, other] = [newGraphId(), newGeneration(), newGeneration()];
  const small: fc.Arbitrary<T> = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat())
    .map((t) => parsed(parseT(t)));
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(small, fc.nat({ max: 300 })), {
        maxLength: 30,
        selector: (place) => place.join(),
      }),
      small,
      small,
      async (places, since, upTo) => {
        for await (const { key } of kv.list({ prefix: [] })) await kv.delete(key);
        for (const [t, part] of places) {
          await kv.set(entryKey("log", { graph, generation, t, part }), true);
          await kv.set(entryKey("log", { graph, generation: other, t, part }), true);
          await kv.set(entryKey("tail", { graph, generation, t, part }), true);
        }
        const sorted = places.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
          .map(([t, part]) => ({ graph, generation, t, part }));
        assert.deepEqual(
          await placesOf(kv.list({ prefix: entriesPrefix("log", graph, generation) })),
          sorted,
        );
        if (since >= upTo) return;
        assert.deepEqual(
          await placesOf(kv.list(entriesRange("log", graph, generation, since, upTo))),
          sorted.filter(({ t }) => t > since && t <= upTo),
        );
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("Rows sort by addr, then by part, and can be listed after one", async () => {
  using kv = await Deno.openKv(":memory:");
  const [graph, generation, other] = [newGraphId(), newGeneration(), newGeneration()];
  const numbers = [0, 1, 2, 9, 10, 11, 255, 256, 65_536, 2 ** 32, Number.MAX_SAFE_INTEGER];
  const places = numbers.flatMap((number) =>
    [0, 1, 2, 10].map((part) => ({ graph, generation, addr: parsed(parseAddr(number)), part }))
  );
  for (const place of places.toReversed()) {
    await kv.set(rowKey(place), true);
    await kv.set(rowKey({ ...place, generation: other }), true);
  }
  for (const after of [-1, ...numbers]) {
    assert.deepEqual(
      await placesOf(kv.list(rowsAfter(graph, generation, after))),
      places.filter(({ addr }) => addr > after),
    );
  }
  const prefix = rowsPrefix(graph, generation);
  assert.deepEqual(await placesOf(kv.list({ prefix })), places);
  for (const place of places) {
    assert.deepEqual(
      await placesOf(kv.list(rowPartsRange(place))),
      places.filter(({ addr, part }) => addr === place.addr && part >= place.part),
    );
  }
});

Deno.test("A prefix has the keys of one user or graph only", async () => {
  using kv = await Deno.openKv(":memory:");
  const graph = newGraphId();
  const [alice, alicent] = [parsed(parseUserId("alice")), parsed(parseUserId("alicent"))];
  for (const user of [alice, alicent]) await kv.set(ownedKey(user, graph), true);
  const owned = await Array.fromAsync(kv.list({ prefix: ownedPrefix(alice) }));
  assert.deepEqual(owned.map(({ key }) => parseOwnedKey(key)), [{ user: alice, graph }]);

  const markers = [newGraphId(), newGraphId()].map((graph) => ({
    graph,
    generation: newGeneration(),
  }));
  for (const { graph, generation } of markers) await kv.set(garbageKey(graph, generation), true);
  for (const marker of markers) {
    const found = await Array.fromAsync(kv.list({ prefix: garbagePrefix(marker.graph) }));
    assert.deepEqual(found.map(({ key }) => parseGarbageKey(key)), [marker]);
  }
  assert.equal((await Array.fromAsync(kv.list({ prefix: garbagePrefix() }))).length, 2);
});

async function placesOf(
  list: Deno.KvListIterator<unknown>,
): Promise<readonly (EntryPlace | RowPlace | undefined)[]> {
  const entries = await Array.fromAsync(list);
  return entries.map(({ key }) => parseRowKey(key) ?? parseEntryKey("log", key));
}
