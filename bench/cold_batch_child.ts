/**
 * One first batch, or the bare reads beside it, in a process of its own:
 * `deno run -A bench/cold_batch_child.ts PLAN`; prints a line of JSON: what came of it. Opening the
 * file, reading the plan and what a server does at its start to warm up are not in the time.
 */
// deno-lint-ignore-file no-console
import { z } from "zod";
import { GET_MANY_KEYS } from "../kv/limits.ts";
import { graphIdSchema, tSchema } from "../protocol/id_schema.ts";
import { nextT, T_ZERO } from "../protocol/ids.ts";
import { txBatch } from "../sync/batch.ts";
import { warmUp } from "../sync/warm_up.ts";
import { runProgram } from "../tests/support/program.ts";
import { batchDeps } from "./graph.ts";
import { timed } from "./result.ts";
import { counted } from "./store.ts";

const keySchema = z.array(z.union([z.string(), z.number()]));
const planSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("batch"),
    kvPath: z.string(),
    graph: graphIdSchema,
    tBefore: tSchema,
    tx: z.string(),
    /** Sent before to another graph that is at t 0, each as if it were the first. */
    before: z.object({ graph: graphIdSchema, txs: z.array(z.string()) }).optional(),
  }),
  z.object({ kind: z.literal("reads"), kvPath: z.string(), keys: z.array(keySchema) }),
]);
type Plan = z.output<typeof planSchema>;
export type BatchPlan = Extract<Plan, { kind: "batch" }>;

const outcomeSchema = z.object({ ms: z.number(), keysRead: z.array(keySchema) });
export type Outcome = z.output<typeof outcomeSchema>;

export async function inChild(plan: z.input<typeof planSchema>): Promise<Outcome> {
  await using program = runProgram("bench/cold_batch_child.ts", [JSON.stringify(plan)]);
  const { code, stdout, stderr } = await program.ended;
  if (code !== 0) throw new Error(`Cannot go on without the child: ${stderr}`);
  return outcomeSchema.parse(JSON.parse(stdout));
}

async function run(plan: Plan): Promise<Outcome> {
  using store = await Deno.openKv(plan.kvPath);
  // The first commit to a copy of a file waits until the copy is on the disk: up to 170 ms.
  await store.set(["bench"], 0);
  switch (plan.kind) {
    case "batch":
      return await firstBatch(store, plan);
    case "reads":
      return await reads(store, plan.keys);
    default:
      return plan satisfies never;
  }
}

async function warmUpOnce(): Promise<void> {
  using kv = await Deno.openKv(":memory:");
  await warmUp(kv);
}

async function firstBatch(
  store: Deno.Kv,
  { graph, tBefore, tx, before }: BatchPlan,
): Promise<Outcome> {
  await warmUpOnce();
  let t = T_ZERO;
  for (const other of before?.txs ?? []) {
    const batch = { t_before: t, txs: [other] };
    const answer = before && await txBatch(batchDeps(store), before.graph, batch);
    if (answer?.type === "tx/batch/ok") t = nextT(t);
  }
  const keysRead: Outcome["keysRead"] = [];
  const read = (key: Deno.KvKey): void => void keysRead.push(keySchema.parse(key));
  const deps = batchDeps(counted(store, { read }).kv);
  const { ms, value } = await timed(() => txBatch(deps, graph, { t_before: tBefore, txs: [tx] }));
  if (value?.type !== "tx/batch/ok") throw new Error(`Cannot go on as it is ${value?.type}`);
  return { ms, keysRead };
}

async function reads(store: Deno.Kv, keys: readonly Deno.KvKey[]): Promise<Outcome> {
  const { ms } = await timed(async () => {
    for (let start = 0; start < keys.length; start += GET_MANY_KEYS) {
      await store.getMany(keys.slice(start, start + GET_MANY_KEYS));
    }
  });
  return { ms, keysRead: [] };
}

if (import.meta.main) {
  console.log(JSON.stringify(await run(planSchema.parse(JSON.parse(Deno.args[0] ?? "")))));
}
