/** `deno task dev`: the server with a secret of its own, and all that is needed to talk to it. */
// deno-lint-ignore-file no-console
import { signToken } from "../auth/sign.ts";
import { environment } from "../config.ts";
import { run } from "../main.ts";
import { readDevConfig } from "./dev_config.ts";

/** Whom the printed token speaks for. */
const DEV_USER = "dev";
const YEAR_SECONDS = 365 * 24 * 60 * 60;

if (import.meta.main) {
  const variables = environment();
  await run(() => readDevConfig({ LOG_LEVEL: "debug", ...variables }), async (config, url) => {
    const token = await signToken(config.authSecret, DEV_USER, Date.now(), YEAR_SECONDS);
    console.log(`
Sync server for development at ${url}, data in ${config.kvPath}

A token for user "${DEV_USER}" (another user's: deno task token --sub alice):
${token}

Your graphs in a browser: ${url}/ (it asks for the token), the API: ${url}/docs

Paste this next:
curl -X POST -H 'Authorization: Bearer ${token}' -d '{"graph_name":"notes"}' ${url}/graphs
`);
  });
}
