/** The settings of a development machine: a secret is made at the first start, and kept. */
import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { type Config, ConfigError, parseConfig, settings, type Variables } from "../config.ts";
import { isFile } from "../kv/open.ts";

/** Settings that tokens can be made with. */
export interface DevConfig extends Config {
  readonly authSecret: string;
}

/**
 * The variables' settings, with AUTH_SECRET from the file beside the data where it isn't given, and
 * HOST 127.0.0.1, since a secret in a plain file is nothing to serve other machines with.
 *
 * @throws {ConfigError} a setting is wrong, or there can't be such a file
 */
export async function readDevConfig(variables: Variables): Promise<DevConfig> {
  const authSecret = variables["AUTH_SECRET"] || await readSecret(secretPath(variables));
  const host = variables["HOST"] || "127.0.0.1";
  return { ...parseConfig({ ...variables, AUTH_SECRET: authSecret, HOST: host }), authSecret };
}

/** Whether `deno task dev` has made a secret for these variables, so that its server takes its tokens. */
export async function hasDevSecret(variables: Variables): Promise<boolean> {
  try {
    return (await Deno.stat(secretPath(variables))).isFile;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    return false;
  }
}

/** Beside the data file; a database that is no file has none, so it goes where the default is. */
function secretPath(variables: Variables): string {
  const defaultPath = settings.kvPath.default ?? "";
  const kvPath = variables["KV_PATH"] || defaultPath;
  return join(dirname(isFile(kvPath) ? kvPath : defaultPath), "dev-secret");
}

/** @throws {ConfigError} */
async function readSecret(path: string): Promise<string> {
  try {
    return await readOrMakeSecret(path);
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new ConfigError(
      `Cannot keep a secret in ${path}: set KV_PATH to a file in a folder that this user may ` +
        `write to, or AUTH_SECRET to one of your own (${cause.message})`,
      { cause },
    );
  }
}

/** Whoever comes first of several makes it, and all take his. */
async function readOrMakeSecret(path: string): Promise<string> {
  await Deno.mkdir(dirname(path), { recursive: true });
  // Whole under its own name first: nobody can read half a secret.
  const draft = await Deno.makeTempFile({ dir: dirname(path), prefix: "dev-secret-" });
  try {
    await Deno.writeTextFile(draft, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
    await Deno.link(draft, path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AlreadyExists)) throw cause;
  } finally {
    await Deno.remove(draft);
  }
  return (await Deno.readTextFile(path)).trim();
}
