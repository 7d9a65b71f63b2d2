/**
 * The load, as a process of its own: clients on WebSockets that each send a batch when the last one
 * is answered. `deno run -A bench/load.ts PLAN`; prints one line of JSON: what came of it.
 */
// deno-lint-ignore-file no-console
import { z } from "zod";
import { parseServerMessage } from "../protocol/server_message.ts";
import { readBatches } from "../tests/support/fixtures.ts";
import { blockTx } from "../tests/support/forms.ts";
import { runProgram } from "../tests/support/program.ts";
import { TestSocket } from "../tests/support/socket.ts";
import { timed } from "./result.ts";

const planSchema = z.object({
  /** `ws://…`, one for each client. */
  addresses: z.array(z.string()),
  /** The same, for clients that do the same before, which isn't counted. */
  warmUp: z.array(z.string()),
  work: z.discriminatedUnion("kind", [
    /**
     * Each client has a graph of its own, or whatever answers, and sends the recorded batches, in
     * their order: so many in each stretch, which begins when all have ended the one before.
     */
    z.object({ kind: z.literal("recorded"), set: z.string(), stretches: z.array(z.number()) }),
    /** The same with every tx of them as a batch of its own. */
    z.object({ kind: z.literal("singles"), set: z.string(), stretches: z.array(z.number()) }),
    /**
     * All write blocks of their own into one graph, and on stale pull and try again, until each has
     * seen so many accepted.
     */
    z.object({ kind: z.literal("rivals"), wanted: z.number() }),
  ]),
});
export type Plan = z.output<typeof planSchema>;

/** What came of a stretch; of rivals there is one. */
const outcomeSchema = z.object({ ms: z.number(), sent: z.number(), accepted: z.number() });
export type Outcome = z.output<typeof outcomeSchema>;

/** Runs a plan in a process of its own. */
export async function load(plan: Plan): Promise<readonly Outcome[]> {
  await using program = runProgram("bench/load.ts", [JSON.stringify(plan)]);
  const { code, stdout, stderr } = await program.ended;
  if (code !== 0) throw new Error(`Cannot load: ${stderr}`);
  return z.array(outcomeSchema).parse(JSON.parse(stdout));
}

interface Count {
  sent: number;
  accepted: number;
}

/** Answers the version that the last one left. */
async function sendAll(
  socket: TestSocket,
  since: number,
  batches: readonly (readonly string[])[],
  count: Count,
): Promise<number> {
  let t = since;
  for (const txs of batches) {
    const answer = await socket.ask({ type: "tx/batch", t_before: t, txs });
    count.sent++;
    if (answer.type !== "tx/batch/ok") continue;
    t = answer.t;
    count.accepted++;
  }
  return t;
}

async function rival(
  socket: TestSocket,
  since: number,
  wanted: number,
  count: Count,
): Promise<number> {
  let t = since;
  for (let accepted = 0; accepted < wanted;) {
    const txs = [blockTx(crypto.randomUUID(), `block ${accepted} of one of many`)];
    const answer = await asked(socket, { type: "tx/batch", t_before: t, txs });
    count.sent++;
    if (answer.type === "tx/batch/ok") {
      t = answer.t;
      accepted++;
      count.accepted++;
    } else {
      const pulled = await asked(socket, { type: "pull", since: t });
      if (pulled.type !== "pull/ok") throw new Error(`Cannot pull: ${JSON.stringify(pulled)}`);
      t = pulled.t;
    }
  }
  return t;
}

/** The answer; notices of what others wrote may come before it. */
async function asked(
  socket: TestSocket,
  message: unknown,
): Promise<ReturnType<typeof parseServerMessage>> {
  socket.send(message);
  for (;;) {
    const answer = await socket.next();
    if (answer.type !== "changed") return answer;
  }
}

/** What a client does in a stretch, from a version on; answers at which one it is then. */
type Stretch = (socket: TestSocket, t: number, count: Count) => Promise<number>;

/** What each client does. All is read before, as that is not what is measured. */
function stretchesOf(work: Plan["work"]): readonly Stretch[] {
  switch (work.kind) {
    case "recorded":
      return inStretches(readBatches(work.set).map(({ txs }) => txs), work.stretches);
    case "singles": {
      // Those that were refused came again.
      const batches = readBatches(work.set).flatMap(({ txs, response }) =>
        response.type === "tx/batch/ok" ? txs.map((tx) => [tx]) : []
      );
      return inStretches(batches, work.stretches);
    }
    case "rivals":
      return [(socket, t, count) => rival(socket, t, work.wanted, count)];
    default:
      return work satisfies never;
  }
}

function inStretches(
  batches: readonly (readonly string[])[],
  lengths: readonly number[],
): readonly Stretch[] {
  let end = 0;
  return lengths.map((length) => {
    const some = batches.slice(end, end += length);
    return (socket, t, count) => sendAll(socket, t, some, count);
  });
}

async function clientsAt(
  addresses: readonly string[],
  stretches: readonly Stretch[],
): Promise<readonly Outcome[]> {
  const sockets = await Promise.all(addresses.map((address) => TestSocket.open(address)));
  const outcomes: Outcome[] = [];
  let ts = sockets.map(() => 0);
  for (const stretch of stretches) {
    const count: Count = { sent: 0, accepted: 0 };
    const { ms, value } = await timed(() =>
      Promise.all(sockets.map((socket, i) => stretch(socket, ts[i] ?? 0, count)))
    );
    ts = value;
    outcomes.push({ ms, ...count });
  }
  await Promise.all(sockets.map((socket) => socket[Symbol.asyncDispose]()));
  return outcomes;
}

async function run({ addresses, warmUp, work }: Plan): Promise<readonly Outcome[]> {
  const stretches = stretchesOf(work);
  await clientsAt(warmUp, stretches);
  return await clientsAt(addresses, stretches);
}

if (import.meta.main) {
  console.log(JSON.stringify(await run(planSchema.parse(JSON.parse(Deno.args[0] ?? "")))));
  Deno.exit(0);
}
