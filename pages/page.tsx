/** What every page of the status site is in: head, title, who is signed in. */
import { type Child, useContext } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import { Root } from "./root.ts";

export interface PageProps {
  readonly title: string;
  /** Signed in; the page then has a button to sign out. */
  readonly user?: string;
  readonly children: Child;
}

export function Page({ title, user, children }: PageProps): JSX.Element {
  const root = useContext(Root);
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{title} · Logseq sync</title>
        <link rel="icon" href={`${root}static/icon.svg`} />
        <link rel="stylesheet" href={`${root}static/style.css`} />
      </head>
      <body>
        <header>
          <a class="home" href={root}>Logseq sync</a>
          <nav aria-label="Site">
            <a href={`${root}docs`}>API</a>
            {user !== undefined && (
              <form method="post" action={`${root}sign-out`}>
                <span class="help">Signed in as {user}</span>{" "}
                <button type="submit" class="quiet">Sign out</button>
              </form>
            )}
          </nav>
        </header>
        <main>{children}</main>
      </body>
    </html>
  );
}
