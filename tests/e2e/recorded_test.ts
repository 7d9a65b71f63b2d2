/** Recorded graphs and exchanges (tests/fixtures), over HTTP and over a socket, from end to end. */
import assert from "node:assert/strict";
import { decodeDatom, encodeDatom } from "../../datascript/datom.ts";
import { decode, encode } from "../../datascript/transit.ts";
import { equal, isVector } from "../../datascript/value.ts";
import { datomsOf, download, pull, upload } from "../support/client.ts";
import {
  type FixtureCase,
  readBatches,
  readCases,
  readDatoms,
  readLog,
  readRows,
} from "../support/fixtures.ts";
import { startServer, type TestServer } from "../support/server.ts";

interface Exchange {
  readonly request: FixtureCase["request"];
  readonly response: FixtureCase["response"];
}

/** Sends one request and answers what came back. */
type Send = (request: Exchange["request"]) => Promise<unknown>;

/** One way in for the requests of a graph, closed at the end. */
type Transport = (server: TestServer, graph: string) => Promise<AsyncDisposable & { send: Send }>;

const TRANSPORTS: Readonly<Record<string, Transport>> = {
  "HTTP": (server, graph) =>
    Promise.resolve({
      send: async (json) => (await server.call(`/sync/${graph}/tx/batch`, { json })).body,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
  "a socket": async (server, graph) => {
    const socket = await server.connect(graph);
    return {
      send: (request) => socket.ask({ type: "tx/batch", ...request }),
      [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
    };
  },
};

/** The kind that Logseq's own server overlooks, and ours repairs (fixtures/README.md). */
const REPAIRED = "duplicate-order";

for (const set of ["small-a", "medium-a"]) {
  for (const [name, open] of Object.entries(TRANSPORTS)) {
    Deno.test(`The recorded cases of ${set} have their answers, log and database over ${name}`, async () => {
      await using server = await startServer();
      const graph = await server.createGraph();
      await upload(server, graph, readRows(set));
      const { db: before } = await download(server, graph);
      assert.deepEqual(datomsOf(before), readDatoms(set, "datoms").map(canonical));

      const cases = readCases(set);
      const repaired = new Set<number>();
      {
        await using way = await open(server, graph);
        for (const one of cases) {
          await assertAnswer(way.send, one);
          if (one.kind === REPAIRED && one.response.t !== undefined) repaired.add(one.response.t);
        }
      }
      assert.equal(repaired.size, 2);

      const log = await pull(server, graph);
      const recorded = readLog(set);
      assert.equal(log.t, recorded.length);
      assert.deepEqual(log.txs.map((entry) => entry.t), recorded.map((entry) => entry.t));
      for (const [i, entry] of log.txs.entries()) {
        const same = equal(decode(entry.tx), decode(recorded[i]?.tx ?? "null"));
        assert.equal(same, !repaired.has(entry.t), `entry ${entry.t}: ${entry.tx}`);
      }

      const { t, db } = await download(server, graph);
      assert.equal(t, log.t);
      // A repaired block has another order, everything else is as recorded.
      const isRepaired = (datom: string): boolean => {
        const value = decode(datom);
        const tx = isVector(value) ? value[3] : undefined;
        return datom.includes('"~:block/order"') && typeof tx === "number" &&
          repaired.has(tx - before.maxTx);
      };
      const ours = datomsOf(db);
      const theirs = readDatoms(set, "final-datoms").map(canonical);
      assert.deepEqual(
        ours.filter((datom) => !isRepaired(datom)),
        theirs.filter((datom) => !isRepaired(datom)),
      );
      assert.equal(ours.length, theirs.length);
    });
  }
}

for (
  const [set, base] of [["ops-small", "variety-small"], ["ops-medium", "variety-medium"]] as const
) {
  Deno.test(`Two recorded clients working on ${base} have their answers and database`, async () => {
    await using server = await startServer();
    const graph = await server.createGraph();
    await upload(server, graph, readRows(base));
    await using a = await server.connect(graph);
    await using b = await server.connect(graph);
    for (const { client, t_before, txs, response, t_after } of readBatches(set)) {
      const [sender, other] = client === "A" ? [a, b] : [b, a];
      const request = { t_before, txs };
      await assertAnswer((asked) => sender.ask({ type: "tx/batch", ...asked }), {
        request,
        response,
      });
      if (response.type !== "tx/batch/ok") continue;
      assert.deepEqual(await other.next(), { type: "changed", t: t_after });
    }
    const { db } = await download(server, graph);
    assert.deepEqual(datomsOf(db), readDatoms(set, "final-datoms").map(canonical));
  });
}

/** The same answer, where Transit in it says the same: its cache codes and the order of maps may differ. */
async function assertAnswer(send: Send, { request, response }: Exchange): Promise<void> {
  const answer = await send(request);
  const { data, ...rest } = response;
  if (data === undefined) return assert.deepEqual(answer, rest);
  assert.ok(typeof answer === "object" && answer !== null && "data" in answer);
  const { data: ours, ...ourRest } = answer;
  assert.deepEqual(ourRest, rest);
  assert.ok(typeof ours === "string" && equal(decode(ours), decode(data)), `${ours}`);
}

/** A recorded datom as this side writes it. */
function canonical(datom: string): string {
  return encode(encodeDatom(decodeDatom(decode(datom))));
}
