import assert from "node:assert/strict";
import { parseRange } from "../../assets/range.ts";

Deno.test("A range is bytes from start to before end, within the file", () => {
  const cases: [string, number, number][] = [
    ["bytes=0-0", 0, 1],
    ["bytes=2-4", 2, 5],
    ["bytes=2-", 2, 10],
    ["bytes=-3", 7, 10],
    ["bytes=-30", 0, 10],
    ["bytes=5-99", 5, 10],
    ["BYTES=5-5", 5, 6],
  ];
  for (const [header, start, end] of cases) {
    assert.deepEqual(parseRange(header, 10), { start, end }, header);
  }
});

Deno.test("A range of which the file has no byte is not satisfiable", () => {
  for (const header of ["bytes=10-", "bytes=10-11", "bytes=-0"]) {
    assert.equal(parseRange(header, 10), "not satisfiable", header);
  }
  assert.equal(parseRange("bytes=0-", 0), "not satisfiable");
});

Deno.test("No range, several, other units and what is no range ask for the whole file", () => {
  for (
    const header of [
      undefined,
      "",
      "bytes",
      "bytes=",
      "bytes=x",
      "bytes=5-2",
      "bytes=1-2,4-5",
      "lines=1-2",
      "bytes=1-2,x",
    ]
  ) {
    assert.equal(parseRange(header, 10), undefined, String(header));
  }
});
