import assert from "node:assert/strict";
import { publicAddress } from "../../routes/origin.ts";

function addressOf(headers: Record<string, string>, trustProxy = true): string {
  return publicAddress(new Request("http://10.0.0.7:8787/sync/x?y", { headers }), trustProxy);
}

Deno.test("Without a proxy that is trusted the address is the request's own", () => {
  assert.equal(addressOf({}), "http://10.0.0.7:8787");
  const forwarded = { "x-forwarded-proto": "https", "x-forwarded-host": "notes.example.org" };
  assert.equal(addressOf(forwarded, false), "http://10.0.0.7:8787");
});

Deno.test("A proxy that is trusted says scheme, host and prefix, each by itself; of several the first", () => {
  assert.equal(addressOf({ "x-forwarded-proto": "https" }), "https://10.0.0.7:8787");
  assert.equal(
    addressOf({
      "x-forwarded-proto": "https, http",
      "x-forwarded-host": "notes.example.org:8443, 10.0.0.7",
      "x-forwarded-prefix": "/logseq/sync/",
    }),
    "https://notes.example.org:8443/logseq/sync",
  );
  assert.equal(addressOf({ "x-forwarded-host": "[2001:db8::1]:80" }), "http://[2001:db8::1]:80");
});

Deno.test("What can't be a scheme, a host or a prefix counts as not said", () => {
  for (
    const headers of [
      { "x-forwarded-proto": "javascript" },
      { "x-forwarded-proto": "" },
      { "x-forwarded-host": "a b" },
      { "x-forwarded-host": "evil.example/path" },
      { "x-forwarded-host": "user@evil.example" },
      { "x-forwarded-prefix": "/a?b" },
      { "x-forwarded-prefix": "//evil.example" },
      { "x-forwarded-prefix": "a" },
      { "x-forwarded-prefix": "/" },
    ]
  ) assert.equal(addressOf(headers), "http://10.0.0.7:8787", JSON.stringify(headers));
});

Deno.test("A prefix of slashes and something else is walked through once", () => {
  // Quadratic time for so many would be hours, and the suite's end.
  const prefix = `${"/".repeat(1_000_000)}a`;
  assert.equal(addressOf({ "x-forwarded-prefix": prefix }), "http://10.0.0.7:8787");
});
