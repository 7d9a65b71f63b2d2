/**
 * A real browser for tests: Debian's Chromium, or the one that the variable CHROMIUM names, driven by
 * playwright-core. Where there is none the tests are skipped, and say so.
 */
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import type { TestServer } from "./server.ts";

/** The browser's program, or `undefined` where the machine has none. */
export const CHROMIUM: string | undefined = findChromium();

/** What `Deno.test` skips by. */
export const NO_BROWSER: boolean = CHROMIUM === undefined;

if (NO_BROWSER) {
  // deno-lint-ignore no-console
  console.warn("Browser tests are skipped: no Chromium in PATH, nor in the variable CHROMIUM");
}

function findChromium(): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== "");
  const given = Deno.env.get("CHROMIUM");
  const candidates = [
    ...given === undefined ? [] : [given],
    ...folders.flatMap((folder) => [join(folder, "chromium"), join(folder, "chromium-browser")]),
  ];
  return candidates.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      // NotFound or NotADirectory: the next one may be there.
      return false;
    }
  });
}

/** A page that notes what goes wrong on it, and what it asks of whom. */
export interface Visit {
  readonly page: Page;
  /** Errors in the console (a broken policy is one), and exceptions. */
  readonly problems: readonly string[];
  /** Addresses that were asked for at other servers than this one. */
  readonly elsewhere: readonly string[];
}

type Address = Pick<TestServer, "url">;

export interface Visitor extends AsyncDisposable {
  /** @param server an address without a slash at the end; hosts in `.example` are this machine */
  visit(server: Address, options?: Parameters<Browser["newContext"]>[0]): Promise<Visit>;
}

/** `await using browser = await openBrowser()`. */
export async function openBrowser(): Promise<Visitor> {
  const browser = await chromium.launch({
    ...CHROMIUM !== undefined && { executablePath: CHROMIUM },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--host-resolver-rules=MAP *.example 127.0.0.1",
    ],
  });
  return {
    visit: async (server, options = {}) =>
      watch(await browser.newContext({ baseURL: `${server.url}/`, ...options }), server),
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

async function watch(context: BrowserContext, server: Address): Promise<Visit> {
  const problems: string[] = [];
  const elsewhere: string[] = [];
  const page = await context.newPage();
  // A browser on a busy machine is slow, and no test is about its speed.
  page.setDefaultTimeout(60_000);
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${server.url}/`) && !url.startsWith("data:")) elsewhere.push(url);
  });
  return { page, problems, elsewhere };
}
