import assert from "node:assert/strict";
import { openBlobStores } from "../../assets/open.ts";
import fc from "fast-check";
import { newGraphId } from "../../protocol/ids.ts";
import { rememberTold } from "../../sync/downloads.ts";
import { openGraphs } from "../../sync/graphs.ts";
import { openRowStream } from "../../sync/row_stream.ts";
import { rowsPage } from "../../sync/snapshot.ts";
import { type ClientRow, datomsOf, openRows } from "../support/client.ts";
import { type FixtureRow, readCases, readRows } from "../support/fixtures.ts";
import { blockTx } from "../support/forms.ts";
import { beforeFirstList, dump, withList } from "../support/kv.ts";
import { ALICE, BOB, headOf, Process, rowsOf, version } from "../support/process.ts";

const SMALL = readRows("small-a");
const MEDIUM = readRows("medium-a");

function block(title: string): string {
  return blockTx(crypto.randomUUID(), title);
}

/** A download: the pages' rows by addr, in the order in which they came. */
async function pages(
  server: Process,
  graph: Parameters<Process["page"]>[0],
  limit: number,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<
  { readonly came: readonly (readonly number[])[]; readonly rows: Map<number, ClientRow> }
> {
  const came: number[][] = [];
  const rows = new Map<number, ClientRow>();
  for (let after = -1;;) {
    await between();
    const page = await server.page(graph, after, limit);
    const addrs = page.rows.map(({ addr }) => addr);
    assert.ok(addrs.length <= Math.max(limit, 2), `${addrs.length} rows for ${limit}`);
    assert.deepEqual(addrs, [...new Set(addrs)].toSorted((x, y) => x - y), "ascending");
    for (const row of page.rows) rows.set(row.addr, row);
    came.push(addrs);
    const last = addrs.at(-1);
    if (page.done) {
      assert.deepEqual(addrs.slice(0, 2), [0, 1], "the last page has rows 0 and 1");
      const greatest = addrs.at(-1) ?? after;
      assert.equal(page.last_addr, Math.max(greatest > 1 ? greatest : after, -1));
      return { came, rows };
    }
    assert.ok(last !== undefined && last > after, "a page goes on");
    assert.equal(page.last_addr, last);
    after = last;
  }
}

for (const limit of [1, 2, 3, 4, 5, 6, 7, 8, 20, 21, 22, 23, 24, 25, 2000]) {
  Deno.test(`Pages of at most ${limit} rows have all rows, each once but for 0 and 1`, async () => {
    using kv = await Deno.openKv(":memory:");
    const server = new Process(kv);
    const nodes: readonly FixtureRow[] = Array.from({ length: 21 }, (_, i) => [
      10 + 3 * i,
      `node ${i}`,
      i % 2 === 0 ? "[1,2]" : null,
    ]);
    const all: readonly FixtureRow[] = [[0, "root", null], [1, "[]", null], ...nodes];
    const graph = await server.graphWith(all);
    const { came, rows } = await pages(server, graph, limit);
    const sent = [...rows].map(([addr, row]): FixtureRow => [addr, row.content, row.addresses]);
    assert.deepEqual(sent.toSorted((x, y) => x[0] - y[0]), all);
    const nodesSent = came.flat().filter((addr) => addr > 1);
    assert.deepEqual(nodesSent, nodes.map(([addr]) => addr));
    const expected = came.length === 1 ? 1 : 2;
    assert.equal(came.flat().filter((addr) => addr === 0).length, expected);
  });
}

Deno.test("A graph without rows is one empty page that is the last, which goes on where it was asked", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.createGraph();
  for (const after of [-1, 0, 1, 7]) {
    assert.deepEqual(await server.page(graph, after, 5), {
      rows: [],
      last_addr: after,
      done: true,
    });
  }
  const query = { after: -1, limit: 1, caller: ALICE };
  assert.equal(await rowsPage(server, newGraphId(), query), undefined);
});

/** The transactions that a page's tail holds. */
async function tailLength(
  server: Process,
  graph: Parameters<Process["page"]>[0],
  caller = ALICE,
): Promise<number> {
  const page = await server.page(graph, 0, 1, caller);
  const content = page.rows[0]?.content;
  assert.ok(content !== undefined && page.rows[0]?.addr === 1);
  const tail: unknown = JSON.parse(content);
  assert.ok(Array.isArray(tail));
  return tail.length;
}

Deno.test("A page is as of the version that the caller's last pull told, for 60 seconds", async () => {
  using kv = await Deno.openKv(":memory:");
  let ms = 1000;
  const server = new Process(kv, { now: () => ms });
  const graph = await server.graphWith(SMALL);
  const imported = await tailLength(server, graph);
  const served = async (caller = ALICE): Promise<number> =>
    await tailLength(server, graph, caller) - imported;

  await server.write(graph, 0, block("1"));
  assert.equal(await served(), 1);
  assert.equal(await server.pin(graph), 1);
  await server.write(graph, 1, block("2"), block("3"));
  assert.equal(await served(), 1);
  assert.equal(await served(BOB), 3);
  assert.equal(await server.pin(graph, BOB), 3);
  assert.equal(await served(), 1);
  ms += 60_000;
  assert.equal(await served(), 1);
  ms += 1;
  assert.equal(await served(), 3);
  assert.equal(await server.pin(graph), 3);
  await server.write(graph, 3, block("4"));
  assert.equal(await served(), 3);
});

Deno.test("What a pull told holds for pages at another process, and a later pull there takes its place", async () => {
  using kv = await Deno.openKv(":memory:");
  const [one, other] = [new Process(kv), new Process(kv)];
  const graph = await one.graphWith(SMALL);
  const imported = await tailLength(one, graph);
  await one.write(graph, 0, block("1"));
  assert.equal(await one.pin(graph), 1);
  await other.write(graph, 1, block("2"));
  assert.equal(await tailLength(other, graph) - imported, 1);
  assert.equal(await other.pin(graph), 2);
  await one.write(graph, 2, block("3"));
  assert.equal(await tailLength(one, graph) - imported, 2);
});

Deno.test("Of pulls that are remembered out of order the later version counts", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  const imported = await tailLength(server, graph);
  const { log } = await headOf(kv, graph);
  await server.write(graph, 0, block("1"), block("2"), block("3"));
  for (const t of [2, 1]) {
    await rememberTold(server, { graph, caller: ALICE }, { generation: log, t: version(t) });
  }
  assert.equal(await tailLength(server, graph) - imported, 2);
});

Deno.test("Pages don't go on with rows of another graph: after a reset the next one is refused, at any process", async () => {
  using kv = await Deno.openKv(":memory:");
  let ms = 1000;
  const now = (): number => ms;
  const [one, other] = [new Process(kv, { now }), new Process(kv, { now })];
  const graph = await one.graphWith(SMALL);
  const { last_addr: first } = await one.page(graph, -1, 100);
  const { last_addr: second } = await one.page(graph, first, 100);
  await other.import(graph, readRows("medium-a").slice(0, 300), true);
  await other.import(graph, []);
  const answer = async (server: Process, after: number, caller = ALICE): Promise<unknown> => {
    const page = await rowsPage(server, graph, { after, limit: 100, caller });
    return typeof page === "object" ? "a page" : page;
  };
  assert.equal(await answer(one, second), "replaced");
  assert.equal(await answer(other, second), "replaced");
  assert.equal(await answer(other, first), "replaced", "again, as its answer was lost");
  assert.equal(await answer(other, second, BOB), "a page");
  ms += 10 * 60_000 + 1;
  assert.equal(await answer(other, second), "a page");
  ms = 1000;
  assert.equal(await answer(one, -1), "a page");
  assert.equal(await answer(one, second), "a page");
});

Deno.test("While an import of full pages goes on no page of it is served, unless all is there that its root needs", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(MEDIUM.slice(0, 2000));
  const first = async (): Promise<unknown> => {
    const page = await rowsPage(server, graph, { after: -1, limit: 100, caller: ALICE });
    return typeof page === "object" ? "a page" : page;
  };
  assert.equal(await first(), "not ready");
  await server.import(graph, MEDIUM.slice(2000, 4000));
  assert.equal(await first(), "not ready");
  await server.import(graph, MEDIUM.slice(4000));
  assert.equal(await first(), "a page");
  assert.ok(MEDIUM.length - 4000 >= 2000);
  assert.equal((await headOf(kv, graph)).importing, true);
});

for (const [what, last] of [["no rows", []], ["few rows", MEDIUM.slice(2000, 2010)]] as const) {
  Deno.test(`A call of ${what} is the last one of an import`, async () => {
    using kv = await Deno.openKv(":memory:");
    const server = new Process(kv);
    const graph = await server.graphWith(MEDIUM.slice(0, 2000));
    assert.equal((await headOf(kv, graph)).importing, true);
    await server.import(graph, last);
    assert.equal((await headOf(kv, graph)).importing, undefined);
    assert.equal((await server.page(graph, -1, 2000)).rows.length, 2000);
    const before = await dump(kv);
    await server.import(graph, []);
    assert.deepEqual(
      (await dump(kv)).filter(({ key }) => key[0] === "head"),
      before.filter(({ key }) => key[0] === "head"),
    );
  });
}

Deno.test("Rows of a single page that isn't full are served as they are", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(MEDIUM.slice(0, 10));
  assert.equal((await server.page(graph, -1, 2000)).rows.length, 10);
});

Deno.test("A pin of version 0 serves the tail as it was imported", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  await server.pin(graph);
  await server.write(graph, 0, block("1"));
  const { rows } = await server.page(graph, -1, 2);
  assert.deepEqual(
    rows.map(({ addr, content, addresses }) => [addr, content, addresses]),
    SMALL.slice(0, 2),
  );
});

Deno.test("A reset between pull and page voids the pin, though its version is reached again", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.graphWith(SMALL);
  const imported = await tailLength(server, graph);
  await server.write(graph, 0, block("1"));
  await server.pin(graph);
  await openGraphs({ kv, stores: openBlobStores(kv), now: () => 1000 }).reset(graph);
  assert.deepEqual(await server.page(graph, -1, 9), { rows: [], last_addr: -1, done: true });
  await server.import(graph, SMALL, true);
  await server.write(graph, 0, block("1"), block("2"), block("3"));
  assert.equal(await tailLength(server, graph) - imported, 3);
});

Deno.test("A page whose pull told a later version of another graph is refused, as long as that counts", async () => {
  using kv = await Deno.openKv(":memory:");
  let ms = 1000;
  const server = new Process(kv, { now: () => ms });
  const graph = await server.graphWith(SMALL);
  await server.write(graph, 0, block("1"), block("2"));
  assert.equal(await server.pin(graph), 2);
  await server.import(graph, SMALL, true);
  await server.write(graph, 0, block("3"));
  const ask = { after: -1, limit: 9, caller: ALICE };
  assert.equal(await rowsPage(server, graph, ask), "replaced");
  assert.equal((await server.page(graph, -1, 9, BOB)).rows.length, 9);
  await server.write(graph, 1, block("4"));
  assert.equal(
    (await server.page(graph, -1, 9)).rows.length,
    9,
    "all that it will not pull is there",
  );

  await server.import(graph, SMALL, true);
  assert.equal(await rowsPage(server, graph, ask), "replaced");
  assert.equal(await server.pin(graph), 0);
  assert.equal((await server.page(graph, -1, 9)).rows.length, 9);

  await server.write(graph, 0, block("5"));
  await server.pin(graph);
  await server.import(graph, SMALL, true);
  ms += 60_001;
  assert.equal((await server.page(graph, -1, 9)).rows.length, 9);
});

Deno.test("The first batch of a graph that comes while its rows are listed is in the page as a whole", async () => {
  using store = await Deno.openKv(":memory:");
  const setup = new Process(store);
  const graph = await setup.createGraph();
  const kv = beforeFirstList(store, () => setup.write(graph, 0, block("first")));
  const { rows } = await new Process(kv).page(graph, -1, 2000);
  const [root, tail, ...nodes] = rows.map(({ addr }) => addr);
  assert.deepEqual([root, tail], [0, 1]);
  const stored = await rowsOf(store, graph);
  assert.deepEqual(nodes, stored.map(([addr]) => addr).filter((addr) => addr > 1));
});

Deno.test("A page that a reset comes into is read again: rows of two graphs never mix", async () => {
  using store = await Deno.openKv(":memory:");
  const setup = new Process(store);
  const graph = await setup.graphWith(SMALL);
  const other: readonly FixtureRow[] = SMALL.slice(0, 40).map(([addr], i) => [addr, `${i}`, null]);
  const wanted: readonly FixtureRow[] = [[0, "root", null], [1, "[]", null], ...other.slice(2)];
  let reset = false;
  const kv = withList(store, async function* (list): AsyncGenerator<Deno.KvEntry<unknown>> {
    let seen = 0;
    for await (const entry of list()) {
      if (++seen === 10 && !reset) {
        reset = true;
        await setup.import(graph, wanted, true);
      }
      yield entry;
    }
  });
  const { rows, done } = await new Process(kv).page(graph, -1, 2000);
  assert.ok(reset && done);
  assert.deepEqual(rows.map((row) => [row.addr, row.content, row.addresses]), wanted);
  assert.deepEqual(await rowsOf(store, graph), wanted);
});

Deno.test("A page whose log a reset takes away is read again, and so is one that is open as a stream", async () => {
  using store = await Deno.openKv(":memory:");
  const setup = new Process(store);
  const graphs = openGraphs({ kv: store, stores: openBlobStores(store), now: setup.now });
  for (const by of ["page", "stream"]) {
    const graph = await setup.graphWith(SMALL);
    await setup.write(graph, 0, block("mine"));
    let reset = false;
    const kv = beforeFirstList(store, async () => {
      reset = await graphs.reset(graph) ?? false;
    });
    if (by === "page") {
      assert.deepEqual((await new Process(kv).page(graph, -1, 2000)).rows, []);
    } else {
      const opened = await openRowStream(kv, graph);
      assert.ok(opened.kind === "open");
      assert.equal(opened.stream.count, 0);
    }
    assert.ok(reset);
  }
});

Deno.test("A page that an import comes into that replaces rows has none of those before", async () => {
  using store = await Deno.openKv(":memory:");
  const setup = new Process(store);
  const rows = (what: string): readonly FixtureRow[] => [
    [0, `root ${what}`, null],
    [1, "[]", null],
    [7, `node ${what}`, null],
  ];
  const graph = await setup.graphWith(rows("before"));
  const kv = beforeFirstList(store, async () => {
    await setup.import(graph, rows("after"));
  });
  const page = await new Process(kv).page(graph, -1, 2000);
  assert.deepEqual(page.rows.map((row) => [row.addr, row.content, row.addresses]), rows("after"));
});

Deno.test("Whatever batches land between the pages, a download is the database at the version told last", async () => {
  const cases = readCases("small-a").filter(({ response }) => response.type === "tx/batch/ok");
  const plan = fc.record({
    limit: fc.integer({ min: 60, max: 900 }),
    // Batches before the pull of a page, and between it and the page.
    before: fc.array(fc.nat(3), { maxLength: 14 }),
    within: fc.array(fc.nat(3), { maxLength: 14 }),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ limit, before, within }) => {
      using kv = await Deno.openKv(":memory:");
      const server = new Process(kv);
      const graph = await server.graphWith(SMALL);
      const states = new Map<number, readonly string[]>();
      let t = 0;
      const write = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i++) {
          const next = cases[t];
          assert.ok(next !== undefined);
          await server.writeBatch(graph, t, next.request.txs);
          t++;
        }
        states.set(t, await server.datoms(graph));
      };
      let told = 0;
      let page = 0;
      const { rows } = await pages(server, graph, limit, async () => {
        await write(before[page] ?? 0);
        told = await server.pin(graph);
        await write(within[page] ?? 0);
        page++;
      });
      assert.deepEqual(datomsOf(openRows(rows)), states.get(told));
    }),
    { numRuns: 4 },
  );
});
