/** A page that says one thing, such as what went wrong, and leads back. */
import { useContext } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import { Page } from "./page.tsx";
import { Root } from "./root.ts";

export function NoticePage({ title, text }: { title: string; text: string }): JSX.Element {
  return (
    <Page title={title}>
      <h1>{title}</h1>
      <p class="empty">{text}</p>
      <p>
        <a class="button" href={useContext(Root)}>Back to the graphs</a>
      </p>
    </Page>
  );
}
