import assert from "node:assert/strict";
import type { GraphId } from "../../protocol/ids.ts";
import type { FixtureRow } from "../support/fixtures.ts";
import { counted } from "../support/counted_kv.ts";
import { withList } from "../support/kv.ts";
import { blockTx } from "../support/forms.ts";
import { Process, rowsOf } from "../support/process.ts";

const LIMIT = 10;

/** Rows 0 and 1, and nodes from address 10 on, each of so many characters. */
function rowsWith(...lengths: readonly number[]): readonly FixtureRow[] {
  const nodes = lengths.map((length, i): FixtureRow => [10 + i, "n".repeat(length), null]);
  return [[0, "root", null], [1, "[]", null], ...nodes];
}

function many(count: number, length = 4): readonly number[] {
  return Array.from({ length: count }, () => length);
}

/** The address from which on a list asks for rows. */
function startOf(selector: Deno.KvListSelector): unknown {
  return "start" in selector && selector.start[0] === "row" ? selector.start.at(-1) : undefined;
}

interface Paged {
  readonly contents: readonly string[];
  readonly last: number;
  /** Whether its own nodes were listed when it was asked for. */
  readonly listed: boolean;
  /** Whether those of the next one were listed. */
  readonly ahead: boolean;
}

/** A process, and which lists of nodes it asks the store for. */
class Watched {
  readonly server: Process;
  readonly #starts: unknown[] = [];

  constructor(kv: Deno.Kv, now = (): number => 1000) {
    const store = withList(kv, (list, selector) => {
      this.#starts.push(startOf(selector));
      return list();
    });
    this.server = new Process(store, { now });
  }

  async page(graph: GraphId, after: number): Promise<Paged> {
    this.#starts.length = 0;
    const { rows, last_addr: last } = await this.server.page(graph, after, LIMIT);
    await this.server.nextPages.idle();
    return {
      contents: rows.map(({ content }) => content),
      last,
      listed: this.#starts.includes(Math.max(after, 1) + 1),
      ahead: this.#starts.includes(last + 1),
    };
  }
}

Deno.test("A page's nodes are listed while the client takes the one before; after the last one none are", async () => {
  using kv = await Deno.openKv(":memory:");
  const watched = new Watched(kv);
  const graph = await watched.server.graphWith(rowsWith(...many(24)));
  const first = await watched.page(graph, -1);
  assert.deepEqual([first.listed, first.ahead, first.last], [true, true, 17]);
  const second = await watched.page(graph, 17);
  assert.deepEqual([second.listed, second.ahead, second.last], [false, true, 27]);
  assert.equal(second.contents.length, LIMIT);
  const third = await watched.page(graph, 27);
  assert.deepEqual([third.listed, third.ahead, third.last], [false, false, 33]);
  assert.deepEqual(third.contents, ["root", "[]", ...Array(6).fill("nnnn")]);
});

Deno.test("What was listed ahead is given once", async () => {
  using kv = await Deno.openKv(":memory:");
  const watched = new Watched(kv);
  const graph = await watched.server.graphWith(rowsWith(...many(40)));
  const { last } = await watched.page(graph, -1);
  const once = await watched.page(graph, last);
  const twice = await watched.page(graph, last);
  assert.deepEqual([once.listed, twice.listed], [false, true]);
  assert.deepEqual(twice.contents, once.contents);
});

Deno.test("Rows that are imported meanwhile are in the next page, in place of those listed ahead", async () => {
  using kv = await Deno.openKv(":memory:");
  const watched = new Watched(kv);
  const graph = await watched.server.graphWith(rowsWith(...many(24)));
  const { last } = await watched.page(graph, -1);
  await watched.server.import(graph, [[last + 1, "new", null]]);
  const second = await watched.page(graph, last);
  assert.deepEqual([second.listed, second.contents[0]], [true, "new"]);
});

Deno.test("Rows that a graph's first batch brings meanwhile are in the next page, in place of those listed ahead", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const graph = await server.createGraph();
  await server.import(graph, rowsWith(...many(LIMIT + 1)).slice(2));
  const first = await server.page(graph, -1, LIMIT);
  assert.equal(first.rows.length, LIMIT);
  await server.nextPages.idle();
  await new Process(kv).write(graph, 0, blockTx(crypto.randomUUID(), "first"));
  const seen: number[] = first.rows.map(({ addr }) => addr);
  for (let page = first; !page.done;) {
    page = await server.page(graph, page.last_addr, LIMIT);
    seen.push(...page.rows.map(({ addr }) => addr));
  }
  const stored = (await rowsOf(kv, graph)).map(([addr]) => addr);
  assert.deepEqual(stored.filter((addr) => !seen.includes(addr)), []);
});

Deno.test("A page that was listed ahead is kept for ten seconds", async () => {
  using kv = await Deno.openKv(":memory:");
  let ms = 1000;
  const watched = new Watched(kv, () => ms);
  const graph = await watched.server.graphWith(rowsWith(...many(40)));
  const first = await watched.page(graph, -1);
  ms += 10_000;
  const second = await watched.page(graph, first.last);
  ms += 10_001;
  const third = await watched.page(graph, second.last);
  assert.deepEqual([second.listed, third.listed], [false, true]);
});

Deno.test("The next pages of four downloads are kept; that of a fifth takes the place of the oldest", async () => {
  using kv = await Deno.openKv(":memory:");
  const watched = new Watched(kv);
  const graphs: GraphId[] = [];
  while (graphs.length < 5) graphs.push(await watched.server.graphWith(rowsWith(...many(12))));
  for (const graph of graphs) await watched.page(graph, -1);
  const listed: boolean[] = [];
  for (const graph of graphs) listed.push((await watched.page(graph, 17)).listed);
  assert.deepEqual(listed, [true, false, false, false, false]);
});

Deno.test("After a page of more than 4 MiB nothing is listed", async () => {
  using kv = await Deno.openKv(":memory:");
  const watched = new Watched(kv);
  const long = 600_000;
  const graph = await watched.server.graphWith(rowsWith(...many(8, long), ...many(12)));
  assert.equal((await watched.page(graph, -1)).ahead, false);
});

Deno.test("A next page of more than 4 MiB is not kept", async () => {
  using kv = await Deno.openKv(":memory:");
  const watched = new Watched(kv);
  const long = 600_000;
  const graph = await watched.server.graphWith(rowsWith(...many(8), ...many(12, long)));
  const first = await watched.page(graph, -1);
  const second = await watched.page(graph, first.last);
  assert.deepEqual([first.ahead, second.listed], [true, true]);
  assert.equal(second.contents.join("").length, LIMIT * long);
});

Deno.test("A page ends where its rows have come to 16 MiB, and the next one goes on there", async () => {
  using kv = await Deno.openKv(":memory:");
  const server = new Process(kv);
  const rows = rowsWith(...many(40, 600_000));
  const graph = await server.graphWith(rows);
  const lengths: number[] = [];
  const got = new Map<number, string>();
  for (let after = -1, done = false; !done;) {
    const page = await server.page(graph, after, 2000);
    for (const { addr, content } of page.rows) got.set(addr, content);
    lengths.push(page.rows.length);
    [after, done] = [page.last_addr, page.done];
  }
  assert.deepEqual(lengths, [30, 12 + 2]);
  assert.deepEqual(
    [...got].toSorted(([x], [y]) => x - y),
    rows.map(([addr, text]) => [addr, text]),
  );
});

Deno.test("Where nodes can't be listed ahead, the page that needs them lists them", async () => {
  using kv = await Deno.openKv(":memory:");
  let failures = 0;
  const failing = withList(kv, (list, selector) => {
    if (startOf(selector) === 18 && failures++ === 0) throw new Error("the store is busy");
    return list();
  });
  const server = new Process(failing);
  const graph = await server.graphWith(rowsWith(...many(12)));
  const { last_addr } = await server.page(graph, -1, LIMIT);
  await server.nextPages.idle();
  assert.deepEqual([last_addr, failures], [17, 1]);
  const { rows, done } = await server.page(graph, last_addr, LIMIT);
  assert.deepEqual([rows.length, done], [6, true]);
});

Deno.test("A page reads hardly more rows than it has, however many there are", async () => {
  using store = await Deno.openKv(":memory:");
  const { kv, take } = counted(store);
  const server = new Process(kv);
  const graph = await server.graphWith(rowsWith(...many(1000)));
  take();
  await server.page(graph, 100, LIMIT);
  await server.nextPages.idle();
  // Its own, and the next one's; each list has begun with the batch behind it.
  assert.ok(take().listed <= 4 * (LIMIT + 1));
});

Deno.test("A server that ends waits for the pages that it lists ahead", async () => {
  using kv = await Deno.openKv(":memory:");
  const { promise: mayList, resolve: goOn } = Promise.withResolvers<void>();
  const slow = withList(
    kv,
    async function* (list, selector): AsyncGenerator<Deno.KvEntry<unknown>> {
      if (startOf(selector) === 18) await mayList;
      yield* list();
    },
  );
  const server = new Process(slow);
  const graph = await server.graphWith(rowsWith(...many(12)));
  await server.page(graph, -1, LIMIT);
  let isIdle = false;
  const idle = server.nextPages.idle().then(() => isIdle = true);
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(isIdle, false);
  goOn();
  await idle;
});
