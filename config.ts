/**
 * Every setting of the server: one table, from which come the parser and its errors, and whose words
 * the README's list has too (a test compares them). The only module that reads the environment.
 */
import type { S3Settings } from "./assets/s3_store.ts";
import type { SignInSettings } from "./auth/verify.ts";
import { ASSIGNED, isAddress } from "./kv/open.ts";
import type { LimitSettings } from "./limits/request_limits.ts";
import type { LogFormat, LogLevel } from "./telemetry/log.ts";
import type { MetricsAccess } from "./telemetry/metrics.ts";

/** What the variables say, one by one. */
interface Values extends LimitSettings {
  /** TCP port; 0 takes any free one. */
  readonly port: number;
  readonly host: string;
  /** Where the KV database is: as `openKv` (kv/open.ts) takes it. */
  readonly kvPath: string;
  /** Key of the operator's own tokens (HS256), at least 32 bytes of UTF-8. */
  readonly authSecret: string | undefined;
  readonly oidcIssuer: string | undefined;
  /** Client ids; not empty. */
  readonly oidcAudience: readonly string[] | undefined;
  readonly oidcJwksUrl: string | undefined;
  /** `sub`s and e-mails, not empty; without it whoever has a good token may come in. */
  readonly allowedUsers: readonly string[] | undefined;
  readonly graphsPerUser: number;
  /** Rows that a flush made useless stay readable for so long. */
  readonly rowsGraceMs: number;
  /** Files that were replaced can be read for so long; uploads can be silent for so long. */
  readonly assetsGraceMs: number;
  /** Decoded nodes in memory take at most about this. */
  readonly nodeCacheBytes: number;
  /** Who may read `/metrics`; `off`: it isn't there. */
  readonly metrics: { readonly kind: "off" } | MetricsAccess;
  /** What a proxy in front says of the address that clients use is believed. */
  readonly trustProxy: boolean;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
  readonly s3Endpoint: string | undefined;
  readonly s3Bucket: string | undefined;
  readonly s3Region: string | undefined;
  readonly s3AccessKeyId: string | undefined;
  readonly s3SecretAccessKey: string | undefined;
}

/** The settings, parsed. Frozen; whoever needs a value gets it as an argument. */
export interface Config extends Values {
  /** What the settings of sign-in come to together. */
  readonly signIn: SignInSettings;
  /** Where assets are kept; without it they are in KV. */
  readonly s3?: S3Settings;
}

/** One setting: `parse` answers `undefined` for text that is not `type`. */
export interface Setting<Value> {
  readonly name: string;
  /** Another name of the same, that people may have set already. */
  readonly alias?: string;
  /** Ends the sentence "NAME must be …". */
  readonly type: string;
  /** Text taken when the variable is unset or empty; without one the value is `undefined` then. */
  readonly default?: string;
  /** The same on Deno Deploy, which sets DENO_DEPLOYMENT_ID. */
  readonly defaultOnDeploy?: string;
  /** What it is, in Markdown. */
  readonly about: string;
  /** A secret's value is kept out of error messages. */
  readonly secret?: true;
  readonly parse: (text: string) => Value | undefined;
}

type Settings = { readonly [Key in keyof Values]: Setting<Values[Key]> };

/** RFC 7518 §3.2: a key of HS256 must be as long as the hash. */
const MIN_SECRET_BYTES = 32;

const MIN_METRICS_TOKEN_CHARACTERS = 16;

const MIB = 1024 * 1024;
const SECOND_MS = 1000;

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
    about: "address to listen on (`deno task dev`: 127.0.0.1)",
    parse: (text) => /\s/.test(text) ? undefined : text,
  },
  kvPath: {
    name: "KV_PATH",
    type: "a path, an address without a password in it, :memory: or :assigned:",
    default: "data/kv.sqlite3",
    defaultOnDeploy: ASSIGNED,
    about: "the KV database: a file, or the address (`http://…`) of a denokv server; " +
      "`:memory:` forgets everything at the end; " +
      "`:assigned:`, the default on Deno Deploy, is what Deploy assigned",
    parse: (text) => isAddress(text) && plainUrl(text) === undefined ? undefined : text,
  },
  authSecret: {
    name: "AUTH_SECRET",
    type: `a text of at least ${MIN_SECRET_BYTES} bytes`,
    about: `key of your own tokens (JWT, HS256), at least ${MIN_SECRET_BYTES} bytes; ` +
      "`deno task dev` makes one",
    secret: true,
    parse: (text) => new TextEncoder().encode(text).length >= MIN_SECRET_BYTES ? text : undefined,
  },
  oidcIssuer: {
    name: "OIDC_ISSUER",
    alias: "COGNITO_ISSUER",
    type: "an http(s) address",
    about: "OpenID Connect provider whose tokens are taken, as its tokens have it in `iss`",
    parse: parseHttpUrl,
  },
  oidcAudience: {
    name: "OIDC_AUDIENCE",
    alias: "COGNITO_CLIENT_ID",
    type: "client ids, with commas between them",
    about: "client ids, with commas, for which the provider's tokens have to be made",
    parse: parseList,
  },
  oidcJwksUrl: {
    name: "OIDC_JWKS_URL",
    alias: "COGNITO_JWKS_URL",
    type: "an http(s) address",
    about: "where the provider's keys are, if its own description is not to be asked",
    parse: parseHttpUrl,
  },
  allowedUsers: {
    name: "ALLOWED_USERS",
    type: "subs and e-mails, with commas between them",
    about: "who may use this server, by `sub` or e-mail, with commas; " +
      "by default everyone with a good token",
    parse: parseList,
  },
  requestsPerSecond: {
    name: "REQUESTS_PER_SECOND",
    type: "an integer from 1 to 1000000",
    default: "200",
    about: "HTTP requests of a user in the long run; ten times as many at once",
    parse: (text) => parseInteger(text, 1, 1_000_000),
  },
  framesPerSecond: {
    name: "FRAMES_PER_SECOND",
    type: "an integer from 1 to 1000000",
    default: "200",
    about: "messages of a user on his sockets in the long run; ten times as many at once",
    parse: (text) => parseInteger(text, 1, 1_000_000),
  },
  socketsPerUser: {
    name: "SOCKETS_PER_USER",
    type: "an integer from 1 to 1000000",
    default: "256",
    about: "sockets that a user may have open",
    parse: (text) => parseInteger(text, 1, 1_000_000),
  },
  graphsPerUser: {
    name: "GRAPHS_PER_USER",
    type: "an integer from 1 to 10000",
    default: "500",
    about: "graphs that a user may have",
    parse: (text) => parseInteger(text, 1, 10_000),
  },
  maxBodyBytes: {
    name: "MAX_BODY_MIB",
    type: "an integer from 1 to 400",
    default: "100",
    about: "size of a JSON body, in MiB",
    parse: (text) => parseInteger(text, 1, 400, MIB),
  },
  rowsGraceMs: {
    name: "ROWS_GRACE_SECONDS",
    type: "an integer from 120 to 86400",
    default: "900",
    about: "how long rows that were replaced stay readable, for downloads that began before",
    // A page is of the version that a pull told up to a minute ago (sync/downloads.ts).
    parse: (text) => parseInteger(text, 120, 86_400, SECOND_MS),
  },
  assetsGraceMs: {
    name: "ASSETS_GRACE_SECONDS",
    type: "an integer from 60 to 86400",
    default: "3600",
    about: "how long a replaced asset stays for those who read it, and an upload may be silent",
    parse: (text) => parseInteger(text, 60, 86_400, SECOND_MS),
  },
  nodeCacheBytes: {
    name: "NODE_CACHE_MIB",
    type: "an integer from 1 to 65536",
    default: "48",
    about: "memory for decoded rows, in MiB",
    parse: (text) => parseInteger(text, 1, 65_536, MIB),
  },
  trustProxy: {
    name: "TRUST_PROXY",
    type: "yes or no",
    default: "no",
    about: "`yes`: clients' address is what X-Forwarded-Proto, -Host and -Prefix say, else Host",
    parse: (text) => text === "yes" ? true : text === "no" ? false : undefined,
  },
  metrics: {
    name: "METRICS",
    type: `off, on, or a token of at least ${MIN_METRICS_TOKEN_CHARACTERS} characters`,
    default: "off",
    about: "counts for Prometheus at `/metrics`: `on` for all who reach it, " +
      "or a token for who has it",
    secret: true,
    parse: (text) => {
      if (text === "off") return { kind: "off" };
      if (text === "on") return { kind: "open" };
      const isToken = text.length >= MIN_METRICS_TOKEN_CHARACTERS && /^[!-~]+$/.test(text);
      return isToken ? { kind: "token", token: text } : undefined;
    },
  },
  s3Endpoint: {
    name: "S3_ENDPOINT",
    type: "an http or https URL without a query",
    about: "URL of an S3-compatible server, for assets; the bucket is a folder below it",
    parse: (text) => /[?#]/.test(text) ? undefined : parseHttpUrl(text),
  },
  s3Bucket: {
    name: "S3_BUCKET",
    type: "a name of 3 to 63 letters, digits, dots, hyphens and underscores",
    about: "the bucket, which must be there",
    parse: (text) => /^[A-Za-z0-9._-]{3,63}$/.test(text) ? text : undefined,
  },
  s3Region: {
    name: "S3_REGION",
    type: "a word of letters, digits and hyphens",
    about: "its region, or what the server takes for one",
    parse: (text) => /^[A-Za-z0-9-]+$/.test(text) ? text : undefined,
  },
  s3AccessKeyId: {
    name: "S3_ACCESS_KEY_ID",
    type: "a text without spaces",
    about: "who the server is there",
    parse: (text) => /\s/.test(text) ? undefined : text,
  },
  s3SecretAccessKey: {
    name: "S3_SECRET_ACCESS_KEY",
    type: "a text without spaces",
    about: "and the secret that proves it",
    secret: true,
    parse: (text) => /\s/.test(text) ? undefined : text,
  },
  logFormat: {
    name: "LOG_FORMAT",
    type: "auto, pretty or json",
    default: "auto",
    about: "`pretty`, `json` (an object a line), or `auto`: pretty at a terminal, else json",
    parse: (text) => {
      if (text === "auto") return Deno.stdout.isTerminal() ? "pretty" : "json";
      return text === "pretty" || text === "json" ? text : undefined;
    },
  },
  logLevel: {
    name: "LOG_LEVEL",
    type: LOG_LEVELS.join(", "),
    default: "info",
    about:
      "the least grave that is logged: `trace`, `debug`, `info`, `warning`, `error` or `fatal` " +
      "(`deno task dev`: debug); debug shows each request",
    parse: (text) => LOG_LEVELS.find((level) => level === text),
  },
};

/** An address that can be shown in logs. */
function plainUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  return url?.username === "" && url.password === "" ? url : undefined;
}

/** An integer from `least` to `most`, times the unit that it is of. */
function parseInteger(
  text: string,
  least: number,
  most: number,
  unit: number = 1,
): number | undefined {
  const integer = /^[0-9]{1,9}$/.test(text) ? Number(text) : NaN;
  return integer >= least && integer <= most ? integer * unit : undefined;
}

/** As it was written, since it is compared with tokens; a user or password has no place in it. */
function parseHttpUrl(text: string): string | undefined {
  return /^https?:$/.test(plainUrl(text)?.protocol ?? "") ? text : undefined;
}

/** A list of nobody would be taken for no list at all, so it is refused. */
function parseList(text: string): readonly string[] | undefined {
  const parts = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  return parts.length === 0 ? undefined : parts;
}

/** Settings that are missing or can't be parsed, a line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** The process's variables, for `parseConfig`. */
export function environment(): Readonly<Record<string, string>> {
  return Deno.env.toObject();
}

export type Variables = Readonly<Record<string, string | undefined>>;

/** What the variables say of one setting. */
export interface Reading<Value> {
  /** As it is written, or by default; `undefined` where there is neither. */
  readonly text: string | undefined;
  /** The variable that it comes from, `default`, or `not set`. */
  readonly from: string;
  readonly value: Value | undefined;
  /** Why there is no value, though there should be. */
  readonly problem?: string;
}

export function readSetting<Value>(setting: Setting<Value>, variables: Variables): Reading<Value> {
  const { name, alias, type, secret } = setting;
  const given = [name, ...alias === undefined ? [] : [alias]].filter((key) => variables[key]);
  const byDefault = defaultOf(setting, variables);
  const from = given[0] ?? (byDefault === undefined ? "not set" : "default");
  const text = given[0] === undefined ? byDefault : variables[given[0]];
  if (given[1] !== undefined && variables[given[1]] !== text) {
    const problem = `${name} and ${alias} are one setting: they are set to different texts`;
    return { text, from, value: undefined, problem };
  }
  const value = text === undefined ? undefined : setting.parse(text);
  if (text === undefined || value !== undefined) return { text, from, value };
  const got = secret || URL.parse(text)?.password ? "" : `: got ${JSON.stringify(text)}`;
  return { text, from, value, problem: `${given[0] ?? name} must be ${type}${got}` };
}

/**
 * The value of a setting that has a default, whatever the others are.
 *
 * @throws {ConfigError} it is wrong
 */
export function valueOf<Value>(setting: Setting<Value>, variables: Variables): Value {
  const { value, problem } = readSetting(setting, variables);
  if (value !== undefined) return value;
  throw new ConfigError(problem ?? `${setting.name} has no value`);
}

function defaultOf(setting: Setting<unknown>, variables: Variables): string | undefined {
  const onDeploy = Boolean(variables["DENO_DEPLOYMENT_ID"]);
  return onDeploy ? setting.defaultOnDeploy ?? setting.default : setting.default;
}

/** What is wrong with the variables, a line each. */
export function problemsOf(variables: Variables): readonly string[] {
  const problems = Object.values(settings).flatMap((setting) =>
    readSetting<unknown>(setting, variables).problem ?? []
  );
  return [...problems, ...signInProblems(variables), ...s3Problems(variables)];
}

/** Whether the variables, or its default, give a setting a text, good or not. */
export function isSet(setting: Setting<unknown>, variables: Variables): boolean {
  return readSetting(setting, variables).text !== undefined;
}

/** All of S3's settings or none. */
function s3Problems(variables: Variables): readonly string[] {
  const { s3Endpoint, s3Bucket, s3Region, s3AccessKeyId, s3SecretAccessKey } = settings;
  const all = [s3Endpoint, s3Bucket, s3Region, s3AccessKeyId, s3SecretAccessKey];
  const missing = all.filter((one) => !isSet(one, variables));
  if (missing.length === all.length) return [];
  return missing.map(({ name, type }) =>
    `${name} must be set to ${type}, as other settings of S3 are set`
  );
}

/** What only shows of several settings together; one that is wrong by itself is set all the same. */
function signInProblems(variables: Variables): readonly string[] {
  const { authSecret, oidcIssuer, oidcAudience, oidcJwksUrl } = settings;
  if (isSet(oidcIssuer, variables)) {
    return isSet(oidcAudience, variables) ? [] : [
      `${oidcAudience.name} must be set to ${oidcAudience.type}, as ${oidcIssuer.name} is set: ` +
      "else a token that is made for any other program would let its user in",
    ];
  }
  const lonely = [oidcAudience, oidcJwksUrl].find((one) => isSet(one, variables));
  if (lonely !== undefined) return [`${oidcIssuer.name} must be set, as ${lonely.name} is set`];
  return isSet(authSecret, variables) ? [] : [
    `${authSecret.name} must be set to ${authSecret.type}, for tokens of your own; ` +
    `or ${oidcIssuer.name} and ${oidcAudience.name}, for tokens of an OpenID Connect provider`,
  ];
}

/**
 * Variables → settings. Unknown variables are none of ours and ignored.
 *
 * @throws {ConfigError} names every setting that is missing or wrong
 */
export function parseConfig(variables: Variables): Config {
  const problems = problemsOf(variables);
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));

  const optional = <Value>(setting: Setting<Value>): Value | undefined =>
    readSetting(setting, variables).value;
  const read = <Value>(setting: Setting<Value>): Value => valueOf(setting, variables);

  const values: Values = {
    port: read(settings.port),
    host: read(settings.host),
    kvPath: read(settings.kvPath),
    authSecret: optional(settings.authSecret),
    oidcIssuer: optional(settings.oidcIssuer),
    oidcAudience: optional(settings.oidcAudience),
    oidcJwksUrl: optional(settings.oidcJwksUrl),
    allowedUsers: optional(settings.allowedUsers),
    requestsPerSecond: read(settings.requestsPerSecond),
    framesPerSecond: read(settings.framesPerSecond),
    socketsPerUser: read(settings.socketsPerUser),
    graphsPerUser: read(settings.graphsPerUser),
    maxBodyBytes: read(settings.maxBodyBytes),
    rowsGraceMs: read(settings.rowsGraceMs),
    assetsGraceMs: read(settings.assetsGraceMs),
    nodeCacheBytes: read(settings.nodeCacheBytes),
    trustProxy: read(settings.trustProxy),
    metrics: read(settings.metrics),
    s3Endpoint: optional(settings.s3Endpoint),
    s3Bucket: optional(settings.s3Bucket),
    s3Region: optional(settings.s3Region),
    s3AccessKeyId: optional(settings.s3AccessKeyId),
    s3SecretAccessKey: optional(settings.s3SecretAccessKey),
    logFormat: read(settings.logFormat),
    logLevel: read(settings.logLevel),
  };
  const s3 = s3Of(values);
  return Object.freeze({ ...values, signIn: signInOf(values), ...s3 !== undefined && { s3 } });
}

function s3Of(values: Values): S3Settings | undefined {
  const { s3Endpoint: endpoint, s3Bucket: bucket, s3Region: region } = values;
  const { s3AccessKeyId: accessKeyId, s3SecretAccessKey: secretAccessKey } = values;
  if (
    endpoint === undefined || bucket === undefined || region === undefined ||
    accessKeyId === undefined || secretAccessKey === undefined
  ) return undefined;
  return Object.freeze({ endpoint, bucket, region, accessKeyId, secretAccessKey });
}

function signInOf(values: Values): SignInSettings {
  const { authSecret: secret, oidcIssuer: issuer, oidcAudience: clientIds } = values;
  const allowed = values.allowedUsers ?? [];
  const keysUrl = values.oidcJwksUrl;
  const provider = issuer === undefined || clientIds === undefined
    ? undefined
    : { issuer, clientIds, ...keysUrl !== undefined && { keysUrl } };
  if (secret !== undefined) return { allowed, secret, ...provider !== undefined && { provider } };
  if (provider !== undefined) return { allowed, provider };
  throw new ConfigError("Nobody could sign in");
}
