import assert from "node:assert/strict";
import { Hono } from "hono";
import { Seats } from "../../limits/seats.ts";
import { Shares } from "../../limits/shares.ts";
import { bodyShare, NoShareLeftError, type WithShare } from "../../routes/body_share.ts";
import { jsonBody } from "../../routes/json_body.ts";
import { readUploadBody } from "../../routes/upload_body.ts";
import { frameOf, gzipped } from "../support/snapshots.ts";
import { userOf } from "../support/user.ts";

const MAX_BODY = 900;

/** Answers bodies of alice, or of who `?as` says, who may each have three, and 1000 bytes in memory. */
function appOf(): Hono<WithShare> {
  const app = new Hono<WithShare>();
  app.use(async (c, next) => {
    c.set("user", userOf(c.req.query("as") ?? "alice"));
    await next();
  });
  app.use(bodyShare({ unanswered: new Shares(1000), bodies: new Seats(3) }));
  app.onError((thrown, c) => c.text(thrown.name, thrown instanceof NoShareLeftError ? 429 : 500));
  app.get("/json", (c) => c.json({}));
  app.post("/json", jsonBody(MAX_BODY), (c) => c.json({}));
  app.post("/upload", async (c) => c.json(await readUploadBody(c.req.raw, c.get("hold"))));
  return app;
}

/** A body that stops after so many bytes, until it is told to end. */
class Stopped {
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly #read = Promise.withResolvers<void>();
  readonly body: ReadableStream<Uint8Array>;

  constructor(bytes: number) {
    this.body = new ReadableStream({
      start: (controller): void => {
        this.#controller = controller;
        controller.enqueue(new TextEncoder().encode(" ".repeat(bytes)));
      },
      pull: (): void => this.#read.resolve(),
    }, { highWaterMark: 0 });
  }

  /** Answers when all that came has been read. */
  get read(): Promise<void> {
    return this.#read.promise;
  }

  end(): void {
    this.#controller?.close();
  }
}

function statusOf(
  app: Hono<WithShare>,
  path: string,
  body: RequestInit["body"],
): Promise<number> {
  return Promise.resolve(app.request(path, { method: "POST", body: body ?? null }))
    .then(({ status }) => status);
}

Deno.test("Bodies that have not been answered take of their user's share, whatever their length says", async () => {
  const app = appOf();
  const stopped = new Stopped(800);
  const answer = statusOf(app, "/json", stopped.body);
  await stopped.read;
  const text = JSON.stringify("x".repeat(300));
  assert.equal(await statusOf(app, "/json", text), 429);
  assert.equal(await statusOf(app, "/json?as=bob", text), 200);
  assert.equal(await statusOf(app, "/json", '"small"'), 200);
  stopped.end();
  assert.equal(await answer, 200);
  assert.equal(await statusOf(app, "/json", text), 200);
});

Deno.test("A body beyond a user's number is refused however short it is, until one has been answered", async () => {
  const app = appOf();
  const [first, ...others] = [new Stopped(1), new Stopped(1), new Stopped(1)];
  assert.ok(first !== undefined);
  const answer = statusOf(app, "/json", first.body);
  const rest = others.map(({ body }) => statusOf(app, "/json", body));
  for (const { read } of [first, ...others]) await read;
  assert.equal(await statusOf(app, "/json", "1"), 429);
  assert.equal(await statusOf(app, "/json?as=bob", "1"), 200);
  assert.equal((await app.request("/json")).status, 200);
  first.end();
  await answer;
  assert.equal(await statusOf(app, "/json", "1"), 200);
  for (const other of others) other.end();
  await Promise.all(rest);
});

Deno.test("What was refused has given back what it took", async () => {
  const app = appOf();
  for (let i = 0; i < 3; i++) {
    assert.equal(await statusOf(app, "/json", " ".repeat(MAX_BODY + 1)), 413);
    assert.equal(await statusOf(app, "/upload", frameOf([[0, "x".repeat(1000), null]])), 429);
  }
  assert.equal(await statusOf(app, "/json", " ".repeat(MAX_BODY)), 200);
});

Deno.test("A gzipped body takes as much as it is inflated to", async () => {
  const app = appOf();
  const packed = gzipped(frameOf([[0, "x".repeat(2000), null]]));
  assert.ok(packed.length < 1000);
  assert.equal(await statusOf(app, "/upload", packed), 429);
});
