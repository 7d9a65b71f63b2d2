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
     * Each client has a graph of its own, or whatever answers, and sends so many of the recorded
     * batches, in their order.
     */
    z.object({ kind: z.literal("recorded"), set: z.string(), first: z.number() }),
    /** The same with every tx of them as a batch of its own. */
    z.object({ kind: z.literal("singles"), set: z.string(), first: z.number() }),
    /**
     * All write blocks of their own into one graph, and on stale pull and try again, until each has
     * seen so many accepted.
     */
    z.object({ kind: z.literal("rivals"), wanted: z.number() }),
  ]),
});
export type Plan = z.output<typeof planSchema>;

const outcomeSchema = z.object({ ms: z.number(), sent: z.number(), accepted: z.number() });
export type Outcome = z.output<typeof outcomeSchema>;

/** Runs a plan in a process of its own. */
export async function load(plan: Plan): Promise<Outcome> {
  await using program = runProgram("bench/load.ts", [JSON.stringify(plan)]);
  const { code, stdout, stderr } = await program.ended;
  if (code !== 0) throw new Error(`Cannot load: ${stderr}`);
  return outcomeSchema.parse(JSON.parse(stdout));
}

interface Count {
  sent: number;
  accepted: number;
}

async function sendAll(
  socket: TestSocket,
  batches: readonly (readonly string[])[],
  count: Count,
): Promise<void> {
  let t = 0;
  for (const txs of batches) {
    const answer = await socket.ask({ type: "tx/batch", t_before: t, txs });
    count.sent++;
    if (answer.type !== "tx/batch/ok") continue;
    t = answer.t;
    count.accepted++;
  }
}

async function rival(socket: TestSocket, wanted: number, count: Count): Promise<void> {
  let t = 0;
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

/** What one client does. All is read before, as that is not what is measured. */
function clientOf(work: Plan["work"]): (socket: TestSocket, count: Count) => Promise<void> {
  switch (work.kind) {
    case "recorded": {
      const batches = readBatches(work.set).map(({ txs }) => txs);
      return (socket, count) => sendAll(socket, batches.slice(0, work.first), count);
    }
    case "singles": {
      // Those that were refused came again.
      const batches = readBatches(work.set).flatMap(({ txs, response }) =>
        response.type === "tx/batch/ok" ? txs.map((tx) => [tx]) : []
      );
      return (socket, count) => sendAll(socket, batches.slice(0, work.first), count);
    }
    case "rivals":
      return (socket, count) => rival(socket, work.wanted, count);
    default:
      return work satisfies never;
  }
}

async function clientsAt(
  addresses: readonly string[],
  client: ReturnType<typeof clientOf>,
): Promise<Outcome> {
  const sockets = await Promise.all(addresses.map((address) => TestSocket.open(address)));
  const count: Count = { sent: 0, accepted: 0 };
  const { ms } = await timed(() => Promise.all(sockets.map((socket) => client(socket, count))));
  await Promise.all(sockets.map((socket) => socket[Symbol.asyncDispose]()));
  return { ms, ...count };
}

async function run({ addresses, warmUp, work }: Plan): Promise<Outcome> {
  const client = clientOf(work);
  await clientsAt(warmUp, client);
  return await clientsAt(addresses, client);
}

if (import.meta.main) {
  console.log(JSON.stringify(await run(planSchema.parse(JSON.parse(Deno.args[0] ?? "")))));
  Deno.exit(0);
}
