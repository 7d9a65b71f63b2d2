/** The pages in a real browser (support/browser.ts says where it comes from, and when it is missing). */
import assert from "node:assert/strict";
import axe from "axe-core";
import { blockTx } from "../support/forms.ts";
import { NO_BROWSER, openBrowser, type Visit, type Visitor } from "../support/browser.ts";
import { ALICE, startServer, type TestServer } from "../support/server.ts";

const PHONE = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true };

async function signIn({ page }: Visit, server: TestServer): Promise<void> {
  await page.goto("./");
  await page.getByLabel("Token").fill(await server.token());
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Your graphs" }).waitFor();
}

/** How far a page can be scrolled sideways, in pixels. */
async function sideways({ page }: Visit): Promise<number> {
  // Until its style has come a page is as wide as it likes.
  await page.waitForLoadState();
  return await page.evaluate("document.documentElement.scrollWidth - innerWidth");
}

/** What the browser found wrong, and what it loaded from elsewhere: nothing. */
function assertClean({ problems, elsewhere }: Visit): void {
  assert.deepEqual({ problems, elsewhere }, { problems: [], elsewhere: [] });
}

Deno.test("In a real browser the pages work, load nothing from elsewhere, and have no error", {
  ignore: NO_BROWSER,
}, async (t) => {
  await using browser = await openBrowser();
  // One after the other: to start a browser takes longer than what they do.
  for (const [title, check] of Object.entries(CHECKS)) await t.step(title, () => check(browser));
});

const STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** What axe finds that would keep somebody from using the page, be it light or dark: nothing. */
async function assertAccessible({ page }: Visit): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(`${axe.source}; undefined`);
    const run = `axe.run(document, { runOnly: ${JSON.stringify(STANDARDS)} })`;
    const { violations, passes } = await page.evaluate<axe.AxeResults>(run);
    const found = violations.flatMap(({ help, nodes }) => nodes.map(({ html }) => [help, html]));
    assert.deepEqual(found, [], colorScheme);
    assert.ok(passes.length > 0);
  }
}

const CHECKS: Readonly<Record<string, (browser: Visitor) => Promise<void>>> = {
  "Sign in, see the graphs, delete one, sign out": signInAndDelete,
  "Every page can be used by those who see little, or nothing": forAll,
  "On a phone no page scrolls sideways, and what is to be touched is large enough": onAPhone,
  "The same below a path of a proxy's, at a host of the local network that has no TLS": belowAPath,
  "/docs shows every operation and tries one, from this server alone, with no error": readTheDocs,
};

async function signInAndDelete(browser: Visitor): Promise<void> {
  await using server = await startServer();
  const graph = await server.createGraph(ALICE, "Notes");
  await server.createGraph(ALICE, "Work");
  const json = { t_before: 0, txs: [blockTx(crypto.randomUUID(), "a")] };
  await server.call(`/sync/${graph}/tx/batch`, { json });
  const visit = await browser.visit(server);
  const { page } = visit;
  await signIn(visit, server);

  const notes = page.getByRole("listitem").filter({ hasText: "Notes" });
  await notes.getByText("1 change in the last 24 hours").waitFor();
  const bars = notes.locator("svg rect");
  assert.equal(await bars.count(), 24);
  // The last one, or the one before it where an hour has just begun.
  const boxes = await Promise.all((await bars.all()).map((bar) => bar.boundingBox()));
  const isTall = boxes.some((box) => box !== null && box.height > 20 && box.width > 2);
  assert.ok(isTall, JSON.stringify(boxes));

  const download = page.waitForEvent("download");
  await notes.getByRole("link", { name: "Download backup" }).click();
  assert.equal((await download).suggestedFilename(), `${graph}.sqlite`);

  // By keyboard alone, first back and then for good.
  await notes.getByRole("link", { name: "Delete…" }).press("Enter");
  await page.getByRole("heading", { name: "Delete “Notes”?" }).waitFor();
  await page.getByRole("link", { name: "Keep it" }).press("Enter");
  await notes.getByRole("link", { name: "Delete…" }).press("Enter");
  await page.getByRole("button", { name: "Delete it for good" }).press("Enter");
  await page.getByRole("heading", { name: "Your graphs" }).waitFor();
  assert.deepEqual(await page.getByRole("heading", { level: 2 }).allTextContents(), ["Work"]);
  assert.equal((await server.call(`/graphs/${graph}/access`)).status, 404);

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token").waitFor();
  assert.deepEqual(await page.context().cookies(), []);
  assertClean(visit);
}

async function forAll(browser: Visitor): Promise<void> {
  await using server = await startServer();
  await server.createGraph(ALICE, "Notes");
  const visit = await browser.visit(server);
  const { page } = visit;
  await page.goto("./");
  await assertAccessible(visit);
  await page.getByLabel("Token").fill("not one");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await assertAccessible(visit);
  await signIn(visit, server);
  await assertAccessible(visit);
  await page.getByRole("link", { name: "Delete…" }).click();
  await page.getByRole("button", { name: "Delete it for good" }).waitFor();
  await assertAccessible(visit);
}

async function onAPhone(browser: Visitor): Promise<void> {
  await using server = await startServer();
  await server.createGraph(ALICE, "averylongname".repeat(20));
  const visit = await browser.visit(server, PHONE);
  const { page } = visit;
  await page.goto("./");
  assert.equal(await sideways(visit), 0);
  await signIn(visit, server);
  assert.equal(await sideways(visit), 0);
  for (const button of await page.locator(".button").all()) {
    const box = await button.boundingBox();
    assert.ok(box !== null && box.height >= 44, JSON.stringify(box));
  }
  await page.getByRole("link", { name: "Delete…" }).tap();
  await page.getByRole("button", { name: "Delete it for good" }).waitFor();
  assert.equal(await sideways(visit), 0);
  assertClean(visit);
}

async function belowAPath(browser: Visitor): Promise<void> {
  await using server = await startServer({ variables: { TRUST_PROXY: "yes" } });
  await server.createGraph(ALICE, "Notes");
  await using proxy = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (asked) => {
      const path = asked.url.replace(/^.*?\/logseq\//, "/");
      const headers = new Headers(asked.headers);
      headers.set("x-forwarded-host", headers.get("host") ?? "");
      const { method, body } = asked;
      return fetch(server.url + path, { method, body, headers, redirect: "manual" });
    },
  );
  // A browser trusts no host but this machine's own without TLS, and tells servers less.
  const visit = await browser.visit({ url: `http://notes.example:${proxy.addr.port}/logseq` });
  const { page } = visit;
  await signIn(visit, server);
  await page.getByRole("link", { name: "Delete…" }).click();
  await page.getByRole("button", { name: "Delete it for good" }).click();
  await page.getByText("None yet").waitFor();
  await page.getByRole("link", { name: "API" }).click();
  await page.locator("#operations-server-get_health .opblock-summary-control").click();
  await page.getByRole("button", { name: "Try it out" }).click();
  await page.getByRole("button", { name: "Execute" }).click();
  await page.locator(".live-responses-table .response-col_status", { hasText: "200" }).waitFor();
  await page.goto("./");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token").waitFor();
  // Where there is no TLS the browser says that it passes over one of our headers.
  const problems = visit.problems.filter((text) => !/^The Cross-Origin-Opener-Policy/.test(text));
  assertClean({ ...visit, problems });
}

async function readTheDocs(browser: Visitor): Promise<void> {
  await using server = await startServer();
  const visit = await browser.visit(server);
  const { page } = visit;
  await page.goto("docs");
  await page.locator(".opblock").first().waitFor();
  const shown = await page.locator(".opblock-summary-path").allTextContents();
  const plain = shown.map((path) => path.replaceAll("\u200b", ""));
  assert.ok(plain.includes("/sync/{graph_id}/tx/batch"), plain.join(" "));
  assert.equal(plain.length, 32);

  await page.locator("#operations-server-get_health .opblock-summary-control").click();
  await page.getByRole("button", { name: "Try it out" }).click();
  await page.getByRole("button", { name: "Execute" }).click();
  await page.locator(".live-responses-table .response-col_status", { hasText: "200" }).waitFor();

  await page.locator("#operations-sync-get_sync_graph_id .opblock-summary-control").click();
  await page.getByRole("cell", { name: "tx/batch/ok" }).waitFor();
  assertClean(visit);
}
