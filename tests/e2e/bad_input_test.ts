/** What no client should send, over a socket and over HTTP: the right answer, and nothing changed. */
import assert from "node:assert/strict";
import { decode } from "../../datascript/transit.ts";
import { equal, sequence, Uuid } from "../../datascript/value.ts";
import { rowsAnswerSchema } from "../../protocol/http.ts";
import { download, pull, upload } from "../support/client.ts";
import { readCases, readRows } from "../support/fixtures.ts";
import { blockTx, txOf } from "../support/forms.ts";
import { startServer, type TestServer } from "../support/server.ts";

const SMALL = readRows("small-a");
const UUID = "6f1e2d3c-0000-4000-8000-000000000003";
const ME = ["~:block/uuid", `~u${UUID}`];
const [SOMEBODY, ANOTHER] = twoParents();
const NOBODY = ["~:block/uuid", "~u6f1e2d3c-0000-4000-8000-00000000dead"];

/** The uuids of two entities of small-a. */
function twoParents(): readonly [string, string] {
  const texts = readCases("small-a").flatMap(({ request }) => request.txs).join("\n");
  const parent = /"~:block\/parent",\["\^\w","~u([0-9a-f-]{36})/g;
  const [one, two] = new Set([...texts.matchAll(parent)].map(([, uuid]) => uuid));
  assert.ok(one !== undefined && two !== undefined);
  return [one, two];
}

const INVALID = { type: "tx/reject", reason: "invalid tx" };
const EMPTY = { type: "tx/reject", reason: "empty tx data" };
const ERROR = (message: string): unknown => ({ type: "error", message });

function nested(depth: number, open: string, close: string, inside = ""): string {
  return open.repeat(depth) + inside + close.repeat(depth);
}

/** An assertion about a block of its own, with a value that is written in Transit's JSON. */
function valued(json: string, attribute = "~:user.property/x"): string {
  return `["~#list",[["~:db/add",-1,"~:block/uuid","~u${UUID}"],["~:db/add",-1,"${attribute}",${json}]]]`;
}

/** Strings of a batch that can't be Transit, or can't be forms. */
const NOT_FORMS: Readonly<Record<string, string>> = {
  "the empty text": "",
  "not JSON": "{",
  "JSON that ends too early": '["~#list",[["~:db/add",1',
  "a number": "1",
  "nil": "null",
  "a text": '"x"',
  "a quoted text": `["~#'","x"]`,
  "a map": '["^ ","~:db/id",1]',
  "a JSON object": '{"a":1}',
  "a keyword": '["~#\'","~:db/add"]',
  "a set": '["~#set",[]]',
  "a list of no array": '["~#list",1]',
  "a list with two bodies": '["~#list",[],[]]',
  "a tag alone": '["~#list"]',
  "forms that are texts": '["x","y"]',
  "forms that are nil": "[null]",
  "forms that are numbers": "[1]",
  "an empty form": "[[]]",
  "a form of an operation alone": '[["~:db/add"]]',
  "a text for an operation": '[["db/add",1,"~:block/title","x"]]',
  "an unknown operation": '[["~:db/frobnicate",1,"~:block/title","x"]]',
  "a function call": '[["~:db.fn/call","x"]]',
  "an assertion without attribute": '[["~:db/add",1]]',
  "an assertion without value": '[["~:db/add",1,"~:block/title"]]',
  "an assertion of nil": '[["~:db/add",1,"~:block/title",null]]',
  "an attribute that is a text": '[["~:db/add",1,"block/title","x"]]',
  "an attribute that is a number": '[["~:db/add",1,2,"x"]]',
  "a map with text keys": '[["^ ","block/title","x"]]',
  "a map with the key __proto__": '[["^ ","__proto__","x"]]',
  "a JSON object with the key __proto__": '[{"__proto__":{"x":1}}]',
  "a map with the key constructor": '[["^ ","constructor","x"]]',
  "a map of an odd number": '[["^ ","~:block/title"]]',
  "a composite map of an odd number": '[["~#cmap",["~:block/title"]]]',
  "a cache code that points nowhere": '[["^5",1,"~:block/title","x"]]',
  "a cache code as a value": '[["~:db/add",1,"~:block/title","^9"]]',
  "an entity 0": '[["~:db/add",0,"~:block/title","x"]]',
  "an entity that is no integer": '[["~:db/add",1.5,"~:block/title","x"]]',
  "an entity beyond what DataScript has": '[["~:db/add",2147483648,"~:block/title","x"]]',
  "an entity beyond 2^53": '[["~:db/add",9007199254740993,"~:block/title","x"]]',
  "an entity beyond 2^64": '[["~:db/add","~i99999999999999999999","~:block/title","x"]]',
  "a tempid below -2^53": '[["~:db/add",-9007199254740993,"~:block/title","x"]]',
  "an infinite entity": '[["~:db/add",1e999,"~:block/title","x"]]',
  "an entity that is true": '[["~:db/add",true,"~:block/title","x"]]',
  "an entity that is a map": '[["~:db/add",["^ "],"~:block/title","x"]]',
  "an entity NaN": '[["~:db/add","~zNaN","~:block/title","x"]]',
  "a lookup ref of one": '[["~:db/add",["~:block/uuid"],"~:block/title","x"]]',
  "a lookup ref of three": '[["~:db/add",["~:block/uuid","~u1","~u2"],"~:block/title","x"]]',
  "a lookup ref by a text": '[["~:db/add",["block/uuid","x"],"~:block/title","x"]]',
  "a retraction of a tempid": '[["~:db/retract",-1,"~:block/title","x"]]',
  "a removal of a tempid": '[["~:db/retractEntity",-1]]',
  "the value NaN": valued('"~zNaN"'),
  "NaN as a decimal": valued('"~dabc"'),
  "NaN behind a tag": valued('["~#z","NaN"]'),
  "NaN inside of a vector": valued('["x",["~zNaN"]]'),
  "NaN inside of a map": valued('["^ ","~:a","~zNaN"]'),
  "NaN inside of a set": valued('["~#set",["~zNaN"]]'),
  "NaN inside of a tagged value": valued('["~#point",["~zNaN"]]'),
  "NaN in a lookup ref": '[["~:db/add",["~:block/uuid","~zNaN"],"~:block/title","x"]]',
  "NaN before a swap": '[["~:db/cas",1,"~:block/title","~zNaN","x"]]',
  "an instant that is none": valued('"~mabc"'),
  "a special number that is none": valued('"~zfoo"'),
  "a tag that clients' transit-js takes for a function": valued('["~#hasOwnProperty","x"]'),
  "a tag that it takes for an object": valued('["~#__proto__","x"]'),
  "a tag that it takes for a datom": valued('["~#datascript/Datom",1]'),
  "a tag that it takes for a database": valued('[["~#datascript/DB",["^ ","~:datoms",7]]]'),
  "a tag that it takes for what has metadata": valued('["~#with-meta",["x",["^ "]]]'),
  "a set behind a tag": valued('["~#point",["~#set",[1]]]'),
  "a set behind a tag in a set": valued('["~#set",[["~#point",[["^ ","~:a",["~#set",[1]]]]]]]'),
  "a text behind the mark of tags as a tag": valued('[["~##","list"],["x"]]'),
  "a map behind a tag": valued('["~#map",[1,2]]'),
  "a map with a key twice": valued('["^ ","~:a",1,"~:a",2]'),
  "a map with a composite key twice": valued('["~#cmap",[["x"],1,["x"],2]]'),
  "a set with an element twice": valued('["x",["~#set",[1,"~i1"]]]'),
  "an entity with an attribute twice": '[["^ ","~:block/title","x","~:block/title","y"]]',
  "bytes that are not base64": valued('"~b!!"'),
  "a vector in a vector, 100,000 times": nested(100_000, "[", "]"),
  "a list in a list, 100,000 times": nested(100_000, '["~#list",[', "]]"),
  "a map in a map, 100,000 times": `[${nested(100_000, '["^ ","~:a",', "]", "1")}]`,
};

/** As deep as texts can be read, but not with what is put around them. */
for (const depth of [250, 1000, 1500, 2000, 2500, 3000, 3500]) {
  Object.assign(NOT_FORMS, {
    [`a value in ${depth} vectors`]: valued(nested(depth, "[", "]")),
    [`a value in ${depth} lists`]: valued(nested(depth, '["~#list",[', "]]")),
    [`a value in ${depth} maps`]: valued(nested(depth, '["^ ","~:a",', "]", "1")),
    [`a value in ${depth} sets`]: valued(nested(depth, '["~#set",[', "]]")),
    [`a value in ${depth} tags`]: valued(nested(depth, '["~#point",', "]", "1")),
  });
}

/** Forms that can't be transacted. */
const NOT_DONE: Readonly<Record<string, readonly string[]>> = {
  "a lookup ref to nobody": [txOf(["~:db/add", NOBODY, "~:block/title", "x"])],
  "a lookup ref to nobody as a value": [
    blockTx(UUID, "x"),
    txOf(["~:db/add", ME, "~:block/parent", NOBODY]),
  ],
  "a lookup ref by what is not unique": [
    txOf(["~:db/add", ["~:block/title", "x"], "~:block/title", "y"]),
  ],
  "an ident that nobody has": [txOf(["~:db/add", "~:no/body", "~:block/title", "x"])],
  "a ref that is a text with nothing said of it": [
    txOf(["~:db/add", -1, "~:block/uuid", `~u${UUID}`], ["~:db/add", -1, "~:block/parent", "x"]),
  ],
  "a ref that is true": [
    txOf(["~:db/add", -1, "~:block/uuid", `~u${UUID}`], ["~:db/add", -1, "~:block/parent", true]),
  ],
  "a tempid that is only a value": [
    txOf(["~:db/add", -1, "~:block/uuid", `~u${UUID}`], ["~:db/add", -1, "~:block/parent", -2]),
  ],
  "an attribute backwards that is no ref": [
    txOf(["^ ", "~:block/uuid", `~u${UUID}`, "~:block/_title", ["~:block/uuid", `~u${SOMEBODY}`]]),
  ],
  "a map that is two entities": [
    blockTx(UUID, "x"),
    txOf(["^ ", "~:db/id", ["~:block/uuid", `~u${SOMEBODY}`], "~:block/uuid", `~u${UUID}`]),
  ],
  "a uuid that another has": [
    txOf(["~:db/add", ["~:block/uuid", `~u${ANOTHER}`], "~:block/uuid", `~u${SOMEBODY}`]),
  ],
  "a swap of what is not so": [
    blockTx(UUID, "x"),
    txOf(["~:db/cas", ME, "~:block/title", "y", "z"]),
  ],
  "an attribute of DataScript's own": [
    txOf(["^ ", "~:db/ident", "~:db/mine", "~:db/cardinality", "~:db.cardinality/one"]),
  ],
  "an attribute without cardinality": [
    txOf(["^ ", "~:db/ident", "~:user/mine", "~:db/valueType", "~:db.type/ref"]),
  ],
};

const LOOPS: Readonly<Record<string, readonly string[]>> = {
  "a recorded loop": recordedLoop(),
  "a block that is its own parent": [
    blockTx(UUID, "x"),
    txOf(["~:db/add", ME, "~:block/parent", ME]),
  ],
  "two new blocks below each other": [txOf(
    ["~:db/add", -1, "~:block/uuid", `~u${UUID}`],
    ["~:db/add", -2, "~:block/uuid", "~u6f1e2d3c-0000-4000-8000-000000000004"],
    ["~:db/add", -1, "~:block/parent", -2],
    ["~:db/add", -2, "~:block/parent", -1],
  )],
  "a class that extends itself": [txOf(
    ["~:db/add", -1, "~:block/uuid", `~u${UUID}`],
    ["~:db/add", -1, "~:db/ident", "~:user.class/loop"],
    ["~:db/add", -1, "~:logseq.property.class/extends", -1],
  )],
};

/** All that led to the recorded loop, as one batch. */
function recordedLoop(): readonly string[] {
  const cases = readCases("small-a");
  const at = cases.findIndex(({ response }) => response.reason === "cycle");
  assert.ok(at >= 0);
  return cases.slice(0, at + 1)
    .filter(({ response }) => response.type === "tx/batch/ok" || response.reason === "cycle")
    .flatMap(({ request }) => request.txs);
}

/** What a batch is to be refused with. */
interface BadBatch {
  readonly t_before?: unknown;
  readonly txs?: unknown;
  /** The answer, or what it must have. */
  readonly answer: unknown;
}

const GOOD = blockTx(UUID, "good");

const BATCHES: Readonly<Record<string, BadBatch>> = {
  "without txs": { t_before: 1, answer: INVALID },
  "with txs that are null": { t_before: 1, txs: null, answer: INVALID },
  "with txs that are a text": { t_before: 1, txs: GOOD, answer: INVALID },
  "with txs that are an object": { t_before: 1, txs: { "0": GOOD }, answer: INVALID },
  "with a tx that is a number": { t_before: 1, txs: [GOOD, 1], answer: INVALID },
  "with a tx that is null": { t_before: 1, txs: [GOOD, null], answer: INVALID },
  "with forms in place of Transit": { t_before: 1, txs: [[GOOD]], answer: INVALID },
  "with wrong txs and a wrong t_before": { t_before: -1, txs: 1, answer: INVALID },
  ...Object.fromEntries(
    [undefined, null, "1", -1, 1.5, 2 ** 53, true, [1], {}].map((t_before) => [
      `with t_before ${JSON.stringify(t_before)}`,
      { t_before, txs: [GOOD], answer: { type: "tx/reject", reason: "invalid t_before" } },
    ]),
  ),
  ...Object.fromEntries(
    [0, 2, 2 ** 53 - 1].map((t_before) => [
      `on version ${t_before}`,
      { t_before, txs: ["{"], answer: { type: "tx/reject", reason: "stale", t: 1 } },
    ]),
  ),
  "without a tx": { t_before: 1, txs: [], answer: EMPTY },
  "of empty lists": { t_before: 1, txs: ["[]", '["~#list",[]]'], answer: EMPTY },
  "of a broken tx among empty ones": { t_before: 1, txs: ["[]", "{"], answer: INVALID },
  ...Object.fromEntries(
    Object.entries(NOT_FORMS).map(([what, tx]) => [
      `of ${what}`,
      { t_before: 1, txs: [GOOD, tx], answer: INVALID },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(NOT_DONE).map((
      [what, txs],
    ) => [`of ${what}`, { t_before: 1, txs, answer: INVALID }]),
  ),
  ...Object.fromEntries(
    Object.entries(LOOPS).map((
      [what, txs],
    ) => [`of ${what}`, { t_before: 1, txs, answer: "cycle" }]),
  ),
};

/** small-a at version 1. */
async function graphOf(server: TestServer): Promise<string> {
  const graph = await server.createGraph();
  await upload(server, graph, SMALL);
  const json = { t_before: 0, txs: [blockTx(crypto.randomUUID(), "first")] };
  const { body } = await server.call(`/sync/${graph}/tx/batch`, { json });
  assert.deepEqual(body, { type: "tx/batch/ok", t: 1 });
  return graph;
}

/** Version, log and all rows. */
async function stateOf(server: TestServer, graph: string): Promise<unknown> {
  const page = await server.call(`/sync/${graph}/snapshot/rows?limit=2000`);
  const rows = rowsAnswerSchema.parse(page.body);
  assert.ok(rows.done);
  return { log: await pull(server, graph), rows };
}

function assertAnswer(answer: unknown, expected: unknown): void {
  if (expected !== "cycle") return assert.deepEqual(answer, expected);
  assert.ok(typeof answer === "object" && answer !== null && "data" in answer);
  const { data, ...rest } = answer;
  assert.deepEqual(rest, { type: "tx/reject", reason: "cycle" });
  assert.ok(typeof data === "string" && decode(data) !== null);
}

/** Of the kinds that HTTP answers by status. */
function isInvalidShape({ txs }: BadBatch): boolean {
  return !Array.isArray(txs) || txs.some((tx) => typeof tx !== "string");
}

Deno.test("Bad batches over a socket have the protocol's answers, and change nothing", async (test) => {
  await using server = await startServer();
  const graph = await graphOf(server);
  const before = await stateOf(server, graph);
  await using socket = await server.connect(graph);
  await using other = await server.connect(graph);
  for (const [what, { answer, ...batch }] of Object.entries(BATCHES)) {
    await test.step(`a batch ${what}`, async () => {
      assertAnswer(await socket.ask({ type: "tx/batch", ...batch }), answer);
    });
  }
  assert.deepEqual(await socket.untilPong(), []);
  assert.deepEqual(await other.untilPong(), [], "nobody was told of anything");
  assert.deepEqual(await stateOf(server, graph), before);
  assert.deepEqual(await socket.ask({ type: "tx/batch", t_before: 1, txs: [GOOD] }), {
    type: "tx/batch/ok",
    t: 2,
  });
});

Deno.test("Bad batches over HTTP have the protocol's answers, and change nothing", async (test) => {
  await using server = await startServer();
  const graph = await graphOf(server);
  const before = await stateOf(server, graph);
  for (const [what, bad] of Object.entries(BATCHES)) {
    const { answer, ...json } = bad;
    await test.step(`a batch ${what}`, async () => {
      const { status, body } = await server.call(`/sync/${graph}/tx/batch`, { json });
      if (isInvalidShape(bad)) {
        assert.deepEqual({ status, body }, { status: 400, body: { error: "invalid tx" } });
      } else {
        assert.equal(status, 200);
        assertAnswer(body, answer);
      }
    });
  }
  assert.deepEqual(await stateOf(server, graph), before);
});

/** Frames as text, and the answer. */
const FRAMES: Readonly<Record<string, readonly [frame: string, answer: unknown]>> = {
  "the empty text": ["", ERROR("invalid request")],
  "not JSON": ["{", ERROR("invalid request")],
  "a text": ['"ping"', ERROR("invalid request")],
  "null": ["null", ERROR("invalid request")],
  "a number": ["1", ERROR("invalid request")],
  "an array": ['[{"type":"ping"}]', ERROR("invalid request")],
  "no type": ['{"t_before":1}', ERROR("invalid request")],
  "a type that is a number": ['{"type":1}', ERROR("invalid request")],
  "a type that is null": ['{"type":null}', ERROR("invalid request")],
  "a type in a prototype": ['{"__proto__":{"type":"ping"}}', ERROR("invalid request")],
  "an unknown type": ['{"type":"frobnicate"}', ERROR("unknown type")],
  "the type __proto__": ['{"type":"__proto__"}', ERROR("unknown type")],
  "the type constructor": ['{"type":"constructor"}', ERROR("unknown type")],
  "an answer's type": ['{"type":"tx/batch/ok","t":9}', ERROR("unknown type")],
  "a hello without client": ['{"type":"hello"}', ERROR("invalid request")],
  "a hello of a number": ['{"type":"hello","client":1}', ERROR("invalid request")],
  "a since below 0": ['{"type":"pull","since":-1}', ERROR("invalid since")],
  "a since that is a text": ['{"type":"pull","since":"0"}', ERROR("invalid since")],
  "a since that is null": ['{"type":"pull","since":null}', ERROR("invalid since")],
  "a since that is no integer": ['{"type":"pull","since":0.5}', ERROR("invalid since")],
  "a since beyond 2^53": ['{"type":"pull","since":9007199254740993}', ERROR("invalid since")],
  "a since beyond all numbers": ['{"type":"pull","since":1e999}', ERROR("invalid since")],
  "t_before beyond all numbers": [
    '{"type":"tx/batch","t_before":1e999,"txs":[]}',
    { type: "tx/reject", reason: "invalid t_before" },
  ],
  "a batch of prototypes": [
    '{"type":"tx/batch","__proto__":{"t_before":1,"txs":[]}}',
    INVALID,
  ],
  "arrays in arrays, 100,000 times": [nested(100_000, "[", "]"), ERROR("invalid request")],
  "objects in objects, 100,000 times": [
    nested(100_000, '{"type":', "}", "1"),
    ERROR("invalid request"),
  ],
  "txs in arrays, 100,000 times": [
    `{"type":"tx/batch","t_before":1,"txs":${nested(100_000, "[", "]")}}`,
    ERROR("invalid request"),
  ],
  "a ping with deep fields": [
    `{"type":"ping","x":${nested(100_000, "[", "]")}}`,
    { type: "error", message: "invalid request" },
  ],
};

Deno.test("Bad frames have the protocol's answers, and the socket stays open", async (test) => {
  await using server = await startServer();
  const graph = await graphOf(server);
  const before = await stateOf(server, graph);
  await using socket = await server.connect(graph);
  for (const [what, [frame, answer]] of Object.entries(FRAMES)) {
    await test.step(what, async () => {
      socket.sendText(frame);
      assert.deepEqual(await socket.next(), answer);
    });
  }
  socket.sendBinary(new Uint8Array([0, 255]));
  assert.deepEqual(await socket.next(), ERROR("invalid request"));
  assert.deepEqual(await socket.ask({ type: "hello", client: "c" }), { type: "hello", t: 1 });
  assert.deepEqual(await stateOf(server, graph), before);
});

/** Requests below `/sync/:graph-id`, each with its status and the word of its error. */
const REQUESTS: Readonly<Record<string, readonly [path: string, body: string, word: string]>> = {
  "a batch without a body": ["/tx/batch", "", "missing body"],
  "a batch that is not JSON": ["/tx/batch", "{", "invalid tx"],
  "a batch that is null": ["/tx/batch", "null", "invalid tx"],
  "a batch that is an array": ["/tx/batch", "[]", "invalid tx"],
  "a batch of deep arrays": ["/tx/batch", nested(100_000, "[", "]"), "invalid tx"],
  "a batch of prototypes": ["/tx/batch", '{"__proto__":{"t_before":1,"txs":[]}}', "invalid tx"],
  "an import without a body": ["/snapshot/import", "", "missing body"],
  "an import that is not JSON": ["/snapshot/import", "{", "invalid body"],
  "an import that is null": ["/snapshot/import", "null", "invalid body"],
  "an import without rows": ["/snapshot/import", '{"reset":true}', "invalid body"],
  "an import of no rows but null": [
    "/snapshot/import",
    '{"reset":true,"rows":null}',
    "invalid body",
  ],
  "an import that resets by a text": [
    "/snapshot/import",
    '{"reset":"yes","rows":[]}',
    "invalid body",
  ],
  "an import of objects": [
    "/snapshot/import",
    '{"reset":true,"rows":[{"addr":1}]}',
    "invalid body",
  ],
  "an import of rows without content": [
    "/snapshot/import",
    '{"reset":true,"rows":[[5]]}',
    "invalid body",
  ],
  "an import of an addr below 0": ["/snapshot/import", '{"rows":[[-1,"x",null]]}', "invalid body"],
  "an import of an addr that is a text": [
    "/snapshot/import",
    '{"rows":[["5","x",null]]}',
    "invalid body",
  ],
  "an import of an addr beyond 2^53": [
    "/snapshot/import",
    '{"rows":[[9007199254740993,"x",null]]}',
    "invalid body",
  ],
  "an import of addresses that are an array": [
    "/snapshot/import",
    '{"rows":[[5,"x",[1]]]}',
    "invalid body",
  ],
  "an import with one bad row at its end": [
    "/snapshot/import",
    '{"reset":true,"rows":[[5,"x",null],[6,7,null]]}',
    "invalid body",
  ],
  "a pull since below 0": ["/pull?since=-1", "", "invalid since"],
  "a pull since a text": ["/pull?since=x", "", "invalid since"],
  "a pull since nothing": ["/pull?since=", "", "invalid since"],
  "a pull since 1.5": ["/pull?since=1.5", "", "invalid since"],
  "a pull since 1e3": ["/pull?since=1e3", "", "invalid since"],
  "a pull since beyond 2^53": ["/pull?since=9007199254740993", "", "invalid since"],
};

Deno.test("Bad requests have the protocol's status and word, and change nothing", async (test) => {
  await using server = await startServer();
  const graph = await graphOf(server);
  const before = await stateOf(server, graph);
  for (const [what, [path, body, error]] of Object.entries(REQUESTS)) {
    await test.step(what, async () => {
      const method = path.startsWith("/pull") ? "GET" : "POST";
      const answer = await server.call(`/sync/${graph}${path}`, {
        method,
        ...method === "POST" && { body },
      });
      assert.deepEqual(answer, { status: 400, body: { error } });
    });
  }
  for (const after of ["x", "", "-7", "1e9", "99999999999999999999"]) {
    const { status } = await server.call(
      `/sync/${graph}/snapshot/rows?after=${after}&limit=${after}`,
    );
    assert.equal(status, 200);
  }
  assert.deepEqual(await stateOf(server, graph), before);
});

Deno.test("Odd values that are sound are stored, and pulled and opened as they came", async () => {
  await using server = await startServer();
  const graph = await graphOf(server);
  const odd = [
    '"~zINF"',
    '"~z-INF"',
    "1e308",
    "-0.0",
    '"~i9007199254740993"',
    '"~n123456789012345678901234567890"',
    '"~f1.10"',
    '["^ ","__proto__","x"]',
    '"~:__proto__"',
    nested(150, "[", "]"),
    '""',
    '"\\u0000"',
    '["~#cmap",[["x"],1]]',
  ];
  for (const [i, json] of odd.entries()) {
    const txs = [valued(json, `~:user.property/p${i}`)];
    const { body } = await server.call(`/sync/${graph}/tx/batch`, {
      json: { t_before: i + 1, txs },
    });
    assert.deepEqual(body, { type: "tx/batch/ok", t: i + 2 }, json);
  }
  const proto = await server.call(`/sync/${graph}/tx/batch`, {
    json: { t_before: odd.length + 1, txs: [valued('"x"', "~:__proto__")] },
  });
  assert.deepEqual(proto.body, { type: "tx/batch/ok", t: odd.length + 2 });
  const log = await pull(server, graph);
  assert.equal(log.txs.length, odd.length + 2);
  for (const { tx } of log.txs) decode(tx);
  const { db } = await download(server, graph);
  const [e] = db.entitiesWith("block/uuid", new Uuid(UUID));
  assert.ok(e !== undefined);
  for (const [i, json] of odd.entries()) {
    const [sent] = sequence(decode(`[${json}]`)) ?? [];
    const stored = db.value(e, `user.property/p${i}`);
    assert.ok(stored !== undefined && sent !== undefined && equal(stored, sent), json);
  }
  assert.equal(db.value(e, "__proto__"), "x");
});
