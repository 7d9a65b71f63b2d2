/**
 * `deno task token --sub alice [--days 365]`: prints a token for that user, alone on stdout, signed
 * with AUTH_SECRET, or without it with the secret that `deno task dev` keeps.
 */
// deno-lint-ignore-file no-console
import { parseArgs } from "node:util";
import { signToken } from "../auth/sign.ts";
import { ConfigError, environment, isSet, settings, type Variables } from "../config.ts";
import { parseUserId } from "../protocol/ids.ts";
import { hasDevSecret, readDevConfig } from "./dev_config.ts";

const USAGE = "Usage: deno task token --sub alice [--days 365]";
const DAY_SECONDS = 24 * 60 * 60;

/**
 * The token that the arguments ask for.
 *
 * @throws {TypeError | RangeError} the arguments are wrong; the message says how
 * @throws {ConfigError} a setting is wrong, or the server takes no tokens but its provider's
 */
export async function makeToken(
  args: readonly string[],
  variables: Variables,
  now: number,
): Promise<string> {
  const { values } = parseArgs({
    args: [...args],
    options: { sub: { type: "string" }, days: { type: "string", default: "365" } },
  });
  const sub = parseUserId(values.sub);
  if (sub === undefined) throw new TypeError("--sub must name the user: 1 to 512 characters");
  const days = Number(values.days);
  if (!(days > 0 && days <= 36500)) {
    throw new RangeError(`--days must be a number up to 36500: got "${values.days}"`);
  }
  await refuseProvidersAlone(variables);
  const { authSecret } = await readDevConfig(variables);
  return await signToken(authSecret, sub, now, Math.ceil(days * DAY_SECONDS));
}

/** @throws {ConfigError} a server with these settings takes no token of ours */
async function refuseProvidersAlone(variables: Variables): Promise<void> {
  const { authSecret, oidcIssuer } = settings;
  if (isSet(authSecret, variables) || !isSet(oidcIssuer, variables)) return;
  if (await hasDevSecret(variables)) return;
  throw new ConfigError(
    `${authSecret.name} is not set, so this server takes only its provider's tokens: ` +
      `set it to ${authSecret.type}, here and for the server, to make your own`,
  );
}

if (import.meta.main) {
  try {
    console.log(await makeToken(Deno.args, environment(), Date.now()));
  } catch (cause) {
    const known = cause instanceof TypeError || cause instanceof RangeError ||
      cause instanceof ConfigError;
    if (!known) throw cause;
    console.error(`${cause.message}\n${USAGE}`);
    Deno.exit(2);
  }
}
