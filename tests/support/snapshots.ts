/** What a client of today does with snapshots: uploads and downloads them as the real one does. */
import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
// @ts-types="@types/transit-js"
import transit from "transit-js";
import { createGraphAnswerSchema } from "../../protocol/today/http.ts";
import { decodeRows, readFrames } from "../../protocol/today/frames.ts";
import { downloadAnswerSchema, uploadAnswerSchema } from "../../protocol/today/snapshot.ts";
import type { FixtureRow } from "./fixtures.ts";
import type { RequestOptions, TestServer } from "./server.ts";
import { parseTodaysMessage, type TodaysPullOk } from "./today.ts";

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** A graph that waits for its upload. */
export async function createUnready(server: TestServer): Promise<string> {
  const json = {
    "graph-name": crypto.randomUUID(),
    "graph-e2ee?": false,
    "graph-ready-for-use?": false,
  };
  const { body } = await server.call("/graphs", { json });
  return createGraphAnswerSchema.parse(body)["graph-id"];
}

/** The frame that holds these rows, as a client writes it: by Transit's own writer. */
export function frameOf(rows: readonly FixtureRow[]): Uint8Array<ArrayBuffer> {
  const payload = new TextEncoder().encode(transit.writer("json").write(rows));
  const frame = new Uint8Array(4 + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length);
  frame.set(payload, 4);
  return frame;
}

export function gzipped(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(bytes));
}

/** One call of an upload. */
export async function sendFrame(
  server: TestServer,
  graph: string,
  query: string,
  body: Uint8Array<ArrayBuffer>,
  options: RequestOptions = {},
): Promise<Answer> {
  return await server.call(`/sync/${graph}/snapshot/upload${query}`, {
    ...options,
    body,
    headers: { "content-type": "application/transit+json", ...options.headers },
  });
}

/** Rows in frames of `size` rows, gzipped as clients do: what each call was answered. */
export async function uploadFrames(
  server: TestServer,
  graph: string,
  rows: readonly FixtureRow[],
  size = 500,
): Promise<void> {
  for (let start = 0; start < rows.length; start += size) {
    const some = rows.slice(start, start + size);
    const last = start + size >= rows.length;
    const { status, body } = await sendFrame(
      server,
      graph,
      `?reset=${start === 0}&finished=${last}`,
      gzipped(frameOf(some)),
      { headers: { "content-encoding": "gzip" } },
    );
    assert.equal(status, 200);
    assert.equal(uploadAnswerSchema.parse(body).count, some.length);
  }
}

export interface StreamedRows {
  readonly rows: readonly FixtureRow[];
  /** As `x-snapshot-row-count` tells. */
  readonly count: number;
}

/** Rows out of an answer, which is gunzipped if its bytes say that it is, as a client does it. */
export async function rowsIn(response: Response): Promise<StreamedRows> {
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/transit+json");
  const bytes = await response.bytes();
  const whole = bytes[0] === 0x1f && bytes[1] === 0x8b ? new Uint8Array(gunzipSync(bytes)) : bytes;
  const rows: FixtureRow[] = [];
  async function* once(): AsyncGenerator<Uint8Array> {
    yield whole;
  }
  for await (const payload of readFrames(once())) {
    for (const [addr, content, addresses] of decodeRows(payload)) {
      rows.push([addr, content, addresses ?? null]);
    }
  }
  return { rows, count: Number(response.headers.get("x-snapshot-row-count")) };
}

/** A pull as a client of today reads it. */
export async function pullToday(
  server: TestServer,
  graph: string,
  query = "",
): Promise<TodaysPullOk> {
  const { status, body } = await server.call(`/sync/${graph}/pull${query}`);
  assert.equal(status, 200);
  const message = parseTodaysMessage(JSON.stringify(body));
  assert.ok(message?.type === "pull/ok");
  return message;
}

/**
 * Downloads a graph: a pull, the address, and from there the rows.
 *
 * @param between called after the pull, and again after the address is known
 */
export async function downloadFrames(
  server: TestServer,
  graph: string,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<StreamedRows & { readonly t: number }> {
  const { t } = await pullToday(server, graph);
  await between();
  const answer = await server.call(`/sync/${graph}/snapshot/download`);
  assert.equal(answer.status, 200);
  const { url } = downloadAnswerSchema.parse(answer.body);
  await between();
  const headers = { authorization: `Bearer ${await server.token()}` };
  return { t, ...await rowsIn(await fetch(url, { headers })) };
}
