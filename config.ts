/**
 * Every setting of the server: one table, from which come the parser, its errors and the list that
 * the README shows. The only module that reads the environment.
 */
import type { LogFormat, LogLevel } from "./telemetry/log.ts";

/** The settings, parsed. Frozen; whoever needs a value gets it as an argument. */
export interface Config {
  /** TCP port; 0 takes any free one. */
  readonly port: number;
  readonly host: string;
  /** Path of the KV database's file, or `:memory:`. */
  readonly kvPath: string;
  /** Key of the tokens (HS256), at least 32 bytes of UTF-8. */
  readonly authSecret: string;
  /** Rows that a flush made useless stay readable for so long. */
  readonly rowsGraceMs: number;
  /** Decoded nodes in memory take at most about this. */
  readonly nodeCacheBytes: number;
  /** What a proxy in front says of the address that clients use is believed. */
  readonly trustProxy: boolean;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

/** One setting: `parse` answers `undefined` for text that is not `type`. */
interface Setting<Value> {
  readonly name: string;
  /** Ends the sentence "NAME must be …". */
  readonly type: string;
  /** Text taken when the variable is unset or empty; without one the setting must be given. */
  readonly default?: string;
  readonly about: string;
  /** A secret's value is kept out of error messages. */
  readonly secret?: true;
  readonly parse: (text: string) => Value | undefined;
}

type Settings = { readonly [Key in keyof Config]: Setting<Config[Key]> };

/** RFC 7518 §3.2: a key of HS256 must be as long as the hash. */
const MIN_SECRET_BYTES = 32;

const LOG_LEVELS = ["trace", "debug", "info", "warning", "error", "fatal"] as const;

export const settings: Settings = {
  port: {
    name: "PORT",
    type: "an integer from 0 to 65535",
    default: "8787",
    about: "TCP port to listen on; 0 takes any free one",
    parse: (text) => parseInteger(text, 0, 65_535),
  },
  host: {
    name: "HOST",
    type: "a host name or address without spaces",
    default: "0.0.0.0",
    about: "address to listen on",
    parse: (text) => /\s/.test(text) ? undefined : text,
  },
  kvPath: {
    name: "KV_PATH",
    type: "a path, or :memory:",
    default: "data/kv.sqlite3",
    about: "file of the KV database; :memory: forgets everything at the end",
    parse: (text) => text,
  },
  authSecret: {
    name: "AUTH_SECRET",
    type: `a text of at least ${MIN_SECRET_BYTES} bytes`,
    about: "key of the tokens (JWT, HS256); `deno task dev` makes one",
    secret: true,
    parse: (text) => new TextEncoder().encode(text).length >= MIN_SECRET_BYTES ? text : undefined,
  },
  rowsGraceMs: {
    name: "ROWS_GRACE_SECONDS",
    type: "an integer from 1 to 86400",
    default: "900",
    about: "how long rows that were replaced stay readable, for downloads that began before",
    parse: (text) => {
      const seconds = parseInteger(text, 1, 86_400);
      return seconds === undefined ? undefined : seconds * 1000;
    },
  },
  nodeCacheBytes: {
    name: "NODE_CACHE_MIB",
    type: "an integer from 1 to 65536",
    default: "128",
    about: "memory for decoded rows, in MiB",
    parse: (text) => {
      const mib = parseInteger(text, 1, 65_536);
      return mib === undefined ? undefined : mib * 1024 * 1024;
    },
  },
  trustProxy: {
    name: "TRUST_PROXY",
    type: "yes or no",
    default: "no",
    about: "yes: clients' address is what X-Forwarded-Proto, -Host and -Prefix say, else Host",
    parse: (text) => text === "yes" ? true : text === "no" ? false : undefined,
  },
  logFormat: {
    name: "LOG_FORMAT",
    type: "auto, pretty or json",
    default: "auto",
    about: "auto is pretty at a terminal, else json (an object a line)",
    parse: (text) => {
      if (text === "auto") return Deno.stdout.isTerminal() ? "pretty" : "json";
      return text === "pretty" || text === "json" ? text : undefined;
    },
  },
  logLevel: {
    name: "LOG_LEVEL",
    type: LOG_LEVELS.join(", "),
    default: "info",
    about: "what is logged: this level and the graver ones; debug shows each request",
    parse: (text) => LOG_LEVELS.find((level) => level === text),
  },
};

function parseInteger(text: string, least: number, most: number): number | undefined {
  const integer = /^[0-9]{1,9}$/.test(text) ? Number(text) : NaN;
  return integer >= least && integer <= most ? integer : undefined;
}

/** Settings that are missing or can't be parsed, a line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** The process's variables, for `parseConfig`. */
export function environment(): Readonly<Record<string, string>> {
  return Deno.env.toObject();
}

/**
 * Variables → settings. Unknown variables are none of ours and ignored.
 *
 * @throws {ConfigError} names every setting that is missing or wrong
 */
export function parseConfig(variables: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];

  function read<Value>(setting: Setting<Value>): Value | undefined {
    const given = variables[setting.name];
    const text = given === undefined || given === "" ? setting.default : given;
    if (text === undefined) {
      problems.push(`${setting.name} must be set to ${setting.type}: ${setting.about}`);
      return undefined;
    }
    const value = setting.parse(text);
    if (value === undefined) {
      const got = setting.secret ? "" : `: got ${JSON.stringify(text)}`;
      problems.push(`${setting.name} must be ${setting.type}${got}`);
    }
    return value;
  }

  const port = read(settings.port);
  const host = read(settings.host);
  const kvPath = read(settings.kvPath);
  const authSecret = read(settings.authSecret);
  const rowsGraceMs = read(settings.rowsGraceMs);
  const nodeCacheBytes = read(settings.nodeCacheBytes);
  const trustProxy = read(settings.trustProxy);
  const logFormat = read(settings.logFormat);
  const logLevel = read(settings.logLevel);
  if (
    port === undefined || host === undefined || kvPath === undefined ||
    authSecret === undefined || rowsGraceMs === undefined || nodeCacheBytes === undefined ||
    trustProxy === undefined || logFormat === undefined || logLevel === undefined
  ) {
    throw new ConfigError(problems.join("\n"));
  }
  return Object.freeze({
    port,
    host,
    kvPath,
    authSecret,
    rowsGraceMs,
    nodeCacheBytes,
    trustProxy,
    logFormat,
    logLevel,
  });
}
