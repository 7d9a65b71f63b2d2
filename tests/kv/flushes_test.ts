import assert from "node:assert/strict";
import { CorruptValueError } from "../../kv/chunks.ts";
import { bytesSet, type KvSet } from "../../kv/change.ts";
import { commitOrThrow, writeInCommits } from "../../kv/commit.ts";
import {
  type Claim,
  claimAddresses,
  claimsGuard,
  firstClaimed,
  flushSets,
  isClaimed,
  listClaims,
  listDropped,
  readRoot,
  sweepClaims,
  sweepDropped,
} from "../../kv/flushes.ts";
import { areMet } from "../../kv/get_many.ts";
import { commitHead, type Head } from "../../kv/head.ts";
import { rowKey } from "../../kv/keys.ts";
import { listAddrs } from "../../kv/rows.ts";
import { entryChange, readTail, spilledEntryChange } from "../../kv/txlog.ts";
import { T_ZERO } from "../../protocol/ids.ts";
import { withCommit } from "../support/kv.ts";
import { noise } from "../support/noise.ts";
import { newHead } from "../support/head.ts";
import { address, version } from "../support/ids.ts";

async function claimed(
  kv: Deno.Kv,
  head: Head,
  count: number,
  above = 0,
  since = 5,
): Promise<Claim> {
  const outcome = await claimAddresses(kv, head, count, above, since);
  assert.ok(outcome.kind === "claimed");
  return outcome.claim;
}

/** Rows of a byte each. */
function rowsAt({ graph, rows }: Head, ...addrs: readonly number[]): readonly KvSet[] {
  return addrs.map((addr) =>
    bytesSet(rowKey({ graph, generation: rows, addr: address(addr), part: 0 }), new Uint8Array(1))
  );
}

async function addrsOf(kv: Deno.Kv, { graph, rows }: Head): Promise<readonly number[]> {
  return await Array.fromAsync(listAddrs(kv, graph, rows));
}

Deno.test("Addresses are claimed above all rows, all claims and what the root knows of", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const { graph, rows } = head;
  assert.equal(await firstClaimed(kv, graph, rows), undefined);
  assert.equal((await claimed(kv, head, 3)).first, 1);
  assert.equal((await claimed(kv, head, 2)).first, 4);
  assert.equal((await claimed(kv, head, 1, 9)).first, 10);
  await commitOrThrow(kv, { sets: rowsAt(head, 20, 3), deletes: [] });
  assert.equal((await claimed(kv, head, 1)).first, 21);
  assert.equal(await firstClaimed(kv, graph, rows), 1);
  const claims = await listClaims(kv, graph, rows);
  assert.deepEqual(claims.map(({ first, count }) => [first, count]), [
    [1, 3],
    [4, 2],
    [10, 1],
    [21, 1],
  ]);
  const isOne = [0, 1, 5, 6, 9, 10, 11, 21, 22].filter((addr) => isClaimed(claims, address(addr)));
  assert.deepEqual(isOne, [1, 5, 10, 21]);
});

Deno.test("No addresses are claimed that are beyond what an address can be", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const above = Number.MAX_SAFE_INTEGER - 2;
  await assert.rejects(claimAddresses(kv, head, 3, above, 5), CorruptValueError);
  assert.equal((await claimed(kv, head, 1, above)).first, Number.MAX_SAFE_INTEGER - 1);
});

Deno.test("Of two who claim at once one has the addresses, and none has any of a head that moved", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const racing = withCommit(kv, async (commit) => {
    await claimed(kv, head, 1);
    return await commit();
  });
  assert.deepEqual(await claimAddresses(racing, head, 1, 0, 5), { kind: "conflict" });
  await commitHead(kv, head, head, { sets: [], deletes: [] });
  assert.deepEqual(await claimAddresses(kv, head, 1, 0, 5), { kind: "conflict" });
});

Deno.test("A claim holds until another is made or it is swept, and what is guarded by claims until there is one", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const none = await claimsGuard(kv, head.graph, head.rows);
  const first = await claimed(kv, head, 1);
  assert.ok(!await areMet(kv, [none]));
  assert.ok(await areMet(kv, first.guards));
  const second = await claimed(kv, head, 1);
  assert.ok(!await areMet(kv, first.guards));
  assert.ok(await areMet(kv, second.guards));
  await sweepClaims(kv, 6);
  assert.ok(!await areMet(kv, second.guards));
});

Deno.test("What a flush that was cut off wrote is swept after the grace, and nothing beside it", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  await commitOrThrow(kv, { sets: rowsAt(head, 0, 1, 10), deletes: [] });
  const old = await claimed(kv, head, 2, 0, 5);
  const young = await claimed(kv, head, 2, 0, 6);
  const sets = rowsAt(head, ...[0, 1].flatMap((i) => [old.first + i, young.first + i]));
  await commitOrThrow(kv, { sets, deletes: [] });
  assert.deepEqual(await addrsOf(kv, head), [0, 1, 10, 11, 12, 13, 14]);
  assert.equal(await sweepClaims(kv, 5), 0);
  assert.equal(await sweepClaims(kv, 6), 1);
  assert.deepEqual(await addrsOf(kv, head), [0, 1, 10, 13, 14]);
  const { graph, rows } = head;
  assert.deepEqual((await listClaims(kv, graph, rows)).map((claim) => claim.first), [young.first]);
});

Deno.test("A flush that has come to its switch while its claim is swept keeps its rows", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const { first, guards, key } = await claimed(kv, head, 1);
  await writeInCommits(kv, rowsAt(head, first), guards);
  const racing = withCommit(kv, async (commit, before) => {
    if (before === 0) {
      await commitHead(kv, head, head, { sets: [], deletes: [key], checks: guards });
    }
    return await commit();
  });
  assert.equal(await sweepClaims(racing, 6), 0);
  assert.deepEqual(await addrsOf(kv, head), [first]);
});

Deno.test("From the first commit of its sweep on a flush writes and switches no more", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const { first, guards, key } = await claimed(kv, head, 1);
  const kinds = new Set<string>();
  const racing = withCommit(kv, async (commit, before) => {
    if (before > 0) {
      kinds.add((await writeInCommits(kv, rowsAt(head, first), guards)).kind);
      const change = { sets: [], deletes: [key], checks: guards };
      kinds.add((await commitHead(kv, head, head, change)).kind);
    }
    return await commit();
  });
  assert.equal(await sweepClaims(racing, 6), 1);
  assert.deepEqual([...kinds], ["conflict"]);
  assert.deepEqual(await addrsOf(kv, head), []);
});

Deno.test("The root is that of the last flush at or before a version, of however many parts", async () => {
  using kv = await Deno.openKv(":memory:");
  const { graph, rows } = await newHead(kv);
  const roots = new Map([[2, noise(200_000)], [4, "small"], [7, noise(1_000_000)]]);
  for (const [t, root] of roots) {
    const flush = { t: version(t), root, since: t, dropped: [address(t), address(t + 1)] };
    await writeInCommits(kv, flushSets(graph, rows, flush));
  }
  for (const [t, found] of [[2, 2], [3, 2], [4, 4], [6, 4], [7, 7], [9, 7]] as const) {
    const root = await readRoot(kv, graph, rows, version(t));
    assert.deepEqual(root, { t: found, content: roots.get(found) });
  }
  assert.equal(await readRoot(kv, graph, rows, version(1)), undefined);
  const dropped = await Array.fromAsync(listDropped(kv, graph, rows));
  assert.deepEqual(
    dropped.map(({ guard: _, ...told }) => told),
    [2, 4, 7].map((t) => ({ graph, rows, t, since: t, addrs: [t, t + 1] })),
  );
});

Deno.test("With what a flush made useless go the roots before it and the tails up to it, and no more", async () => {
  using kv = await Deno.openKv(":memory:");
  const head = await newHead(kv);
  const { graph, log, rows } = head;
  for (const t of [1, 2, 3]) {
    const entry = { t: version(t), tx: "[]", tail: "[]", writer: "w" };
    const spilled = spilledEntryChange(graph, log, { ...entry, t: version(t + 3) });
    const flush = { t: version(t), root: `${t}`, since: t, dropped: [address(t), address(t + 3)] };
    await writeInCommits(kv, [
      ...entryChange(graph, log, entry),
      ...spilled.parts,
      ...spilled.sets,
      ...flushSets(graph, rows, flush),
    ]);
  }
  await commitOrThrow(kv, { sets: rowsAt(head, 0, 1, 2, 3, 4, 5, 6), deletes: [] });
  const [, second] = await Array.fromAsync(listDropped(kv));
  assert.ok(second !== undefined);
  assert.equal(await sweepDropped(kv, log, second), true);
  assert.deepEqual(await addrsOf(kv, head), [0, 1, 3, 4, 6]);
  assert.equal(await readRoot(kv, graph, rows, version(1)), undefined);
  assert.equal((await readRoot(kv, graph, rows, version(2)))?.content, "2");
  assert.equal((await readRoot(kv, graph, rows, version(3)))?.content, "3");
  await assert.rejects(Array.fromAsync(readTail(kv, graph, log, T_ZERO, version(2))));
  const tail = await Array.fromAsync(readTail(kv, graph, log, version(2), version(6)));
  assert.deepEqual(tail.map(({ t }) => t), [3, 4, 5, 6]);
  assert.deepEqual((await Array.fromAsync(listDropped(kv))).map(({ t }) => t), [3]);
  assert.equal(
    (await Array.fromAsync(kv.list({ prefix: ["spill", graph, log, "log"] }))).length,
    3,
  );
  assert.equal(await sweepDropped(kv, log, { ...second, t: version(4), addrs: [] }), false);
  const [third] = await Array.fromAsync(listDropped(kv));
  assert.ok(third !== undefined);
  assert.equal(await sweepDropped(kv, log, { ...third, t: version(4), addrs: [] }), true);
  assert.equal(
    (await Array.fromAsync(kv.list({ prefix: ["spill", graph, log, "tail"] }))).length,
    2,
  );
  assert.equal(
    (await Array.fromAsync(kv.list({ prefix: ["spill", graph, log, "log"] }))).length,
    3,
  );
});
