/** An OpenID Connect provider on a port of its own: keys, tokens, rotation, and days on which it fails. */
import { exportJWK, generateKeyPair, type GenerateKeyPairResult, SignJWT } from "jose";

/** A key pair as the provider has it. */
export interface ProviderKey extends Readonly<GenerateKeyPairResult> {
  readonly alg: "RS256" | "ES256";
  readonly kid: string;
}

/** `up`: answers. `down`: 503. `stuck`: no answer while the provider lives. */
export type ProviderState = "up" | "down" | "stuck";

export const CLIENT_ID = "the-client-of-these-tests";

/** @param kid also tells apart which key a token says it was signed with */
export async function makeKey(
  kid: string,
  alg: ProviderKey["alg"] = "ES256",
): Promise<ProviderKey> {
  return { alg, kid, ...await generateKeyPair(alg, { extractable: true }) };
}

export class TestProvider implements AsyncDisposable {
  /** Published at `/keys`. */
  keys: readonly ProviderKey[];
  state: ProviderState = "up";
  /** The paths that were asked for, in order. */
  readonly asked: string[] = [];
  /** What the description says of itself; by default the truth. */
  claimedIssuer: string | undefined;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #end = Promise.withResolvers<void>();

  private constructor(keys: readonly ProviderKey[]) {
    this.keys = keys;
    this.#server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      (request) => this.#answer(new URL(request.url).pathname),
    );
  }

  static async start(keys?: readonly ProviderKey[]): Promise<TestProvider> {
    return new TestProvider(keys ?? [await makeKey("first")]);
  }

  get issuer(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/pool`;
  }

  get keysUrl(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/keys`;
  }

  /** A good ID token of Cognito's kind, for 60 s, with these claims instead; `undefined` leaves one out. */
  token(
    claims: Readonly<Record<string, unknown>> = {},
    key: ProviderKey | undefined = this.keys[0],
  ): Promise<string> {
    if (key === undefined) throw new Error("The provider has no key");
    return new SignJWT({
      iss: this.issuer,
      aud: CLIENT_ID,
      sub: "alice",
      token_use: "id",
      exp: Math.floor(Date.now() / 1000) + 60,
      ...claims,
    }).setProtectedHeader({ alg: key.alg, kid: key.kid }).sign(key.privateKey);
  }

  async #answer(path: string): Promise<Response> {
    this.asked.push(path);
    if (this.state === "stuck") await this.#end.promise;
    if (this.state === "down") return new Response("away", { status: 503 });
    if (path === "/pool/.well-known/openid-configuration") {
      const issuer = this.claimedIssuer ?? this.issuer;
      return Response.json({ issuer, jwks_uri: this.keysUrl });
    }
    if (path !== "/keys") return new Response("not found", { status: 404 });
    const keys = await Promise.all(
      this.keys.map(async ({ alg, kid, publicKey }) => ({
        ...await exportJWK(publicKey),
        alg,
        kid,
      })),
    );
    return Response.json({ keys });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.resolve();
    await this.#server.shutdown();
  }
}
