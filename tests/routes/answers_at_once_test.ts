import assert from "node:assert/strict";
import { Hono } from "hono";
import { AtOnce } from "../../limits/at_once.ts";
import { answersAtOnce } from "../../routes/answers_at_once.ts";
import type { Authenticated } from "../../routes/authenticate.ts";
import { bytesOf, sha256Of } from "../support/bytes.ts";
import { within } from "../support/deadline.ts";
import { userOf } from "../support/user.ts";

/** Who asks is in the path; answers are of three pieces. */
class App {
  /** How many answers were begun. */
  begun = 0;
  readonly #app = new Hono<Authenticated>();

  constructor(perUser: number, stallMs?: number) {
    const atOnce = answersAtOnce(new AtOnce(perUser), stallMs);
    this.#app.onError((_, c) => c.json({ error: "server error" }, 500));
    this.#app.use("/:user/*", async (c, next) => {
      c.set("user", userOf(c.req.param("user")));
      await next();
    });
    this.#app.get("/:user/long", atOnce, (c) => {
      this.begun++;
      const pieces = ["a", "b", "c"].map((piece) => new TextEncoder().encode(piece));
      return c.body(ReadableStream.from(pieces), 200, { "content-length": "3" });
    });
    this.#app.get("/:user/one", atOnce, (c) => c.body(ReadableStream.from([bytesOf(700_000)])));
    this.#app.get("/:user/refused", atOnce, (c) => c.json({ error: "not found" }, 404));
    this.#app.get("/:user/thrown", atOnce, () => {
      throw new Error("no");
    });
  }

  async ask(path: string, init?: RequestInit): Promise<Response> {
    return await this.#app.request(path, init);
  }
}

async function assertFree(app: App): Promise<void> {
  const answer = await within(app.ask("/alice/long"), "a place");
  assert.equal(await answer.text(), "abc");
  assert.equal(answer.headers.get("content-length"), "3");
}

Deno.test("An answer waits until one of as many as a user may have has been read", async () => {
  const app = new App(2);
  const [first, second] = [await app.ask("/alice/long"), await app.ask("/alice/long")];
  const third = app.ask("/alice/long");
  assert.equal(await (await app.ask("/bob/long")).text(), "abc");
  assert.equal(app.begun, 3);
  assert.equal(await first.text(), "abc");
  assert.equal(await (await within(third, "its turn")).text(), "abc");
  assert.equal(await second.text(), "abc");
});

Deno.test("A place is given back by who goes, is refused, meets a fault, or asks for the head alone", async () => {
  const app = new App(1);
  const left = await app.ask("/alice/long");
  await left.body?.cancel();
  await assertFree(app);
  assert.equal((await app.ask("/alice/refused")).status, 404);
  await assertFree(app);
  assert.equal((await app.ask("/alice/thrown")).status, 500);
  await assertFree(app);
  assert.equal((await app.ask("/alice/long", { method: "HEAD" })).status, 200);
  await assertFree(app);
});

Deno.test("A client that takes nothing is cut off after a while, and its place is another's", async () => {
  const app = new App(1, 20);
  const stalled = await app.ask("/alice/long");
  await assertFree(app);
  await assert.rejects(stalled.text(), /Cannot wait/);
});

Deno.test("A long piece is handed on bit by bit, as the time to take one is counted anew for each", async () => {
  const { body } = await new App(1).ask("/alice/one");
  assert.ok(body !== null);
  const pieces = await Array.fromAsync(body);
  assert.deepEqual(pieces.map(({ length }) => length), [262_144, 262_144, 175_712]);
  assert.equal(sha256Of(await new Blob(pieces).bytes()), sha256Of(bytesOf(700_000)));
});

Deno.test("Who has gone gets no answer when his turn has come", async () => {
  const app = new App(1);
  const first = await app.ask("/alice/long");
  const gone = new AbortController();
  const second = app.ask("/alice/long", { signal: gone.signal });
  gone.abort();
  assert.equal(await first.text(), "abc");
  assert.equal((await second).status, 499);
  assert.equal(app.begun, 1);
  await assertFree(app);
});
