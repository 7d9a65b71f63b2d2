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

const planSchema = z.object({
  /** `ws://…`, one for each client. */
  addresses: z.array(z.string()),
  /**
   * `recorded`: each client has a graph of its own, and sends the recorded batches. `rivals`: all
   * write blocks of their own into one graph, and on stale pull and try again. `echo`: the recorded
   * batches to whatever answers.
   */
  kind: z.enum(["recorded", "rivals", "echo"]),
  /** Whose batches are sent; of `rivals` ignored. */
  set: z.string(),
  /** Of `rivals`: how many batches each client wants to see accepted. */
  wanted: z.number(),
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

async function sendRecorded(socket: TestSocket, set: string, count: Count): Promise<void> {
  let t = 0;
  for (const { txs } of readBatches(set)) {
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

async function run({ addresses, kind, set, wanted }: Plan): Promise<Outcome> {
  const sockets = await Promise.all(addresses.map((address) => TestSocket.open(address)));
  const count: Count = { sent: 0, accepted: 0 };
  const start = performance.now();
  await Promise.all(
    sockets.map((socket) =>
      kind === "rivals" ? rival(socket, wanted, count) : sendRecorded(socket, set, count)
    ),
  );
  return { ms: performance.now() - start, ...count };
}

if (import.meta.main) {
  console.log(JSON.stringify(await run(planSchema.parse(JSON.parse(Deno.args[0] ?? "")))));
  Deno.exit(0);
}
