/** A seed client and clients of today write one graph at once, and end with the same database. */
import assert from "node:assert/strict";
import { z } from "zod";
import type { Db } from "../../datascript/db.ts";
import { transact } from "../../datascript/transact.ts";
import { decode } from "../../datascript/transit.ts";
import { Uuid } from "../../datascript/value.ts";
import { summedEntities, sumOf } from "../../logseq/checksum.ts";
import { encodeSum } from "../../logseq/digest.ts";
import { LOGSEQ_SCHEMA } from "../../logseq/schema.ts";
import { diagnosticsAnswerSchema } from "../../protocol/today/http.ts";
import * as todays from "../../protocol/today/server_message.ts";
import { differencesOfMeaning } from "../support/blocks.ts";
import { download, openRows, upload } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import { readCases, readRows } from "../support/fixtures.ts";
import { txOf } from "../support/forms.ts";
import { DataScriptDb, differencesFromOurs, type TheirConnection } from "../support/datascript.ts";
import { emptyDb } from "../support/memory_db.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { downloadFrames, pullToday } from "../support/snapshots.ts";
import type { TestSocket } from "../support/socket.ts";
import {
  entry,
  lookup,
  newBlock,
  parseOpenly,
  parseTodaysMessage,
  type SeedsMessage,
  type TodaysMessage,
  type WireEntry,
} from "../support/today.ts";
import { formsOf } from "../support/written.ts";

/** Numbers from 0 to below `n`, the same ones for the same seed. */
class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(n: number): number {
    this.#state = Math.imul(this.#state, 1664525) + 1013904223 >>> 0;
    return Math.floor(this.#state / 2 ** 32 * n);
  }

  of<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    assert.ok(item !== undefined);
    return item;
  }
}

/** What either client does: a block named by its uuid, in Transit's JSON. */
type Op =
  | {
    readonly kind: "insert";
    readonly uuid: string;
    readonly parent: string;
    readonly text: string;
  }
  | { readonly kind: "retitle"; readonly uuid: string; readonly text: string }
  | { readonly kind: "move"; readonly uuid: string; readonly parent: string; readonly text: string }
  | { readonly kind: "refer"; readonly uuid: string; readonly parent: string }
  | { readonly kind: "delete"; readonly uuid: string };

const PAGE = "00000000-0000-4000-8000-000000000001";

/** An op on what a client has; the page itself stays. */
function nextOp(chance: Chance, db: Db): Op {
  const uuids = db.everything("eavt").flatMap(({ v }) => v instanceof Uuid ? [v.text] : []);
  const blocks = uuids.filter((uuid) => uuid !== PAGE);
  const text = `text ${chance.below(1000)}`;
  if (blocks.length < 4 || chance.below(3) === 0) {
    const uuid = crypto.randomUUID();
    return { kind: "insert", uuid, parent: chance.of(uuids), text };
  }
  const uuid = chance.of(blocks);
  const parent = chance.of(uuids);
  switch (chance.below(5)) {
    case 0:
      return { kind: "delete", uuid };
    case 1:
      return { kind: "move", uuid, parent, text };
    case 2:
      return { kind: "refer", uuid, parent };
    default:
      return { kind: "retitle", uuid, text };
  }
}

function orderOf(text: string): string {
  return `a${text.length}V`;
}

/** As the seed's client writes it; its tempids are small numbers, the same ones as others'. */
function seedsTx(op: Op): string {
  const about = lookup(op.uuid);
  switch (op.kind) {
    case "insert":
      return txOf(
        ["~:db/add", -1, "~:block/uuid", `~u${op.uuid}`],
        ["~:db/add", -1, "~:block/title", op.text],
        ["~:db/add", -1, "~:block/parent", lookup(op.parent)],
        ["~:db/add", -1, "~:block/page", lookup(PAGE)],
        ["~:db/add", -1, "~:block/order", orderOf(op.text)],
      );
    case "retitle":
      return txOf(["~:db/add", about, "~:block/title", op.text]);
    case "move":
      return txOf(["~:db/add", about, "~:block/parent", lookup(op.parent)]);
    case "refer":
      return txOf(["~:db/add", about, "~:block/refs", lookup(op.parent)]);
    case "delete":
      return txOf(["~:db.fn/retractEntity", about]);
    default:
      return op satisfies never;
  }
}

/** As a client of today does. */
function todaysEntry(op: Op): WireEntry {
  const about = lookup(op.uuid);
  switch (op.kind) {
    case "insert":
      return entry(
        "insert-blocks",
        ...newBlock(
          op.uuid,
          op.text,
          ["~:block/parent", lookup(op.parent)],
          ["~:block/page", lookup(PAGE)],
          ["~:block/order", orderOf(op.text)],
        ),
      );
    case "retitle":
      return entry("save-block", ["~:db/add", about, "~:block/title", op.text, 536870999]);
    case "move":
      return entry("move-blocks", ["~:db/add", about, "~:block/parent", lookup(op.parent)], [
        "~:db/add",
        about,
        "~:block/order",
        orderOf(op.text),
      ]);
    case "refer":
      return entry("transact", ["~:db/add", about, "~:block/refs", lookup(op.parent)]);
    case "delete":
      return entry("delete-blocks", ["~:db/retractEntity", about]);
    default:
      return op satisfies never;
  }
}

/** What every client has: a database that follows the log, and its version. */
class Replica {
  db = emptyDb(LOGSEQ_SCHEMA);
  t = 0;
  readonly chance: Chance;

  constructor(seed: number) {
    this.chance = new Chance(seed);
  }
}

/** Answers by type: `changed` may come at any time, and tells this client nothing that it needs. */
async function answerOf<Message extends { readonly type: string }>(
  socket: TestSocket<Message>,
  message: unknown,
): Promise<Message> {
  socket.send(message);
  for (;;) {
    const answer = await socket.next();
    if (answer.type !== "changed") return answer;
  }
}

class SeedsClient extends Replica {
  async pull(socket: TestSocket<SeedsMessage>): Promise<void> {
    const pulled = await answerOf(socket, { type: "pull", since: this.t });
    assert.ok(pulled.type === "pull/ok");
    // All of it as one transaction, as the seed's client does.
    const all = formsOf(pulled.txs.map(({ tx }) => tx));
    if (all.length > 0) this.db = transact(this.db, all).after;
    this.t = pulled.t;
  }

  async work(server: TestServer, graph: string, ops: number): Promise<void> {
    await using socket = await server.connectAs(graph, parseOpenly);
    for (let done = 0; done < ops;) {
      await this.pull(socket);
      const txs = [seedsTx(nextOp(this.chance, this.db))];
      const answer = await answerOf(socket, { type: "tx/batch", t_before: this.t, txs });
      if (answer.type === "tx/batch/ok") done++;
      else assert.ok(answer.type === "tx/reject", JSON.stringify(answer));
    }
    await this.pull(socket);
  }
}

class TodaysClient extends Replica {
  /** How many entries were sent again whose answer was lost. */
  lost = 0;

  async pull(socket: TestSocket<TodaysMessage>): Promise<void> {
    const pulled = await answerOf(socket, { type: "pull", since: this.t });
    assert.ok(pulled.type === "pull/ok");
    for (const { tx } of pulled.txs) this.db = transact(this.db, formsOf([tx])).after;
    this.t = pulled.t;
    assert.equal(pulled.checksum, this.checksum(), `the checksum of t ${this.t}`);
  }

  checksum(): string {
    return encodeSum(sumOf(summedEntities(this.db, 0, Infinity)));
  }

  async work(server: TestServer, graph: string, ops: number): Promise<void> {
    let socket = await server.connectAs(graph, parseTodaysMessage);
    let pending: readonly WireEntry[] = [];
    for (let done = 0; done < ops;) {
      await this.pull(socket);
      if (pending.length === 0) pending = this.#entries();
      const batch = { "type": "tx/batch", "t-before": this.t, "txs": pending };
      if (this.chance.below(6) === 0) {
        // Sent, and perhaps stored; the answer never comes.
        socket.send(batch);
        this.lost += pending.length;
        socket.cut();
        await socket.closed;
        socket = await server.connectAs(graph, parseTodaysMessage);
        continue;
      }
      const answer = await answerOf(socket, batch);
      if (answer.type === "tx/batch/ok") {
        done += pending.length;
        pending = [];
        continue;
      }
      assert.ok(answer.type === "tx/reject", JSON.stringify(answer));
      if (answer.reason === "stale") continue;
      // One that names what is gone by now: it is taken back, and what follows is sent anew.
      assert.equal(answer.reason, "db transact failed");
      const refused = pending.findIndex((one) => one["tx-id"] === answer["failed-tx-id"]);
      assert.deepEqual(
        answer["success-tx-ids"],
        pending.slice(0, refused).map((one) => one["tx-id"]),
      );
      pending = pending.slice(refused + 1);
      done++;
    }
    await this.pull(socket);
    await socket[Symbol.asyncDispose]();
  }

  /** One to three entries, each on what the ones before it have made. */
  #entries(): readonly WireEntry[] {
    return Array.from(
      { length: 1 + this.chance.below(3) },
      () => todaysEntry(nextOp(this.chance, this.db)),
    );
  }
}

/** DataScript itself after the whole log, one entry after the other. */
function follower(log: readonly { readonly tx: string }[]): TheirConnection {
  const datascript = new DataScriptDb(LOGSEQ_SCHEMA, []);
  const device = datascript.connect();
  for (const { tx } of log) device.transact(datascript.formsOf(decode(tx)));
  return device;
}

function toldT(body: unknown): number {
  return todays.pullOkSchema.parse(body).t;
}

Deno.test("A device of today that downloads a graph of the seed's clients can follow it", async () => {
  await using server = await startServer();
  const graph = await server.createGraph();
  await upload(server, graph, readRows("small-a"));
  const { t, rows } = await downloadFrames(server, graph);
  const downloaded = openRows(
    new Map(rows.map(([addr, content, addresses]) => [addr, { content, addresses }])),
  );
  const datascript = new DataScriptDb(downloaded.schema, downloaded.everything("eavt"));
  const device = datascript.connect();
  for (const { request } of readCases("small-a")) {
    await server.call(`/sync/${graph}/tx/batch`, { json: request });
  }
  const { txs } = await pullToday(server, graph, `?since=${t}`);
  assert.ok(txs.length > 100);
  for (const { tx } of txs) device.transact(datascript.formsOf(decode(tx)));
  const { db } = await download(server, graph, 2000, undefined, toldT);
  assert.deepEqual(differencesFromOurs(device, db), []);
});

const OPS = 60;

for (const seed of [1, 20261125]) {
  Deno.test(`A seed client and two of today's write one graph at once and end with the same database (seed ${seed})`, async () => {
    await using server = await startServer();
    const graph = await server.createTodaysGraph();
    const page = entry("create-page", ...newBlock(PAGE, "Page", ["~:block/name", "page"]));
    await server.call(`/sync/${graph}/tx/batch`, { json: { "t-before": 0, "txs": [page] } });

    const seeds = new SeedsClient(seed);
    const others = [new TodaysClient(seed + 1), new TodaysClient(seed + 2)];
    const clients = [seeds, ...others];
    await within(
      Promise.all(clients.map((client) => client.work(server, graph, OPS))),
      "all clients to be done",
      60_000,
    );

    // Each has finished at its own moment; now all take in the rest.
    await using socket = await server.connectAs(graph, parseOpenly);
    await seeds.pull(socket);
    const log = await answerOf(socket, { type: "pull", since: 0 });
    assert.ok(log.type === "pull/ok");
    for (const client of others) {
      await using socket = await server.connectAs(graph, parseTodaysMessage);
      await client.pull(socket);
      assert.ok(client.lost > 0, "no answer was lost");
    }
    const fresh = await download(server, graph, 2000, undefined, toldT);
    for (const client of clients) {
      assert.equal(client.t, fresh.t);
      assert.deepEqual(differencesOfMeaning(client.db, fresh.db), []);
    }
    assert.deepEqual(differencesFromOurs(follower(log.txs), fresh.db), []);
    const kept = await Array.fromAsync(server.kv.list({ prefix: ["accepted"] }));
    const ids = kept.flatMap(({ value }) => z.array(z.string()).parse(value));
    assert.ok(ids.length > OPS);
    assert.equal(new Set(ids).size, ids.length, "no entry has made two versions");
    const { body } = await server.call(`/sync/${graph}/checksum/diagnostics`);
    assert.equal(diagnosticsAnswerSchema.parse(body).checksum, others[0]?.checksum());
  });
}
