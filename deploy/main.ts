/**
 * The program on Deno Deploy, which stops instances that have no visitors: so the sweep is a cron
 * there. Deploy finds crons by evaluating the top level of this module: it has to stand before
 * anything is served, and under no condition.
 */
import { environment, parseConfig } from "../config.ts";
import { run } from "../main.ts";
import { sweep, type SweepParts } from "../sync/sweep.ts";

const parts = Promise.withResolvers<SweepParts>();

void Deno.cron("sweep", "*/5 * * * *", async () => await sweep(await parts.promise));

await run(() => parseConfig(environment()), () => {}, parts.resolve);
