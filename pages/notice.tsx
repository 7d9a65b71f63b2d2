/** A page that says one thing, such as what went wrong, and leads back. */
import type { JSX } from "hono/jsx/jsx-runtime";
import { Page } from "./page.tsx";

export function NoticePage({ title, text }: { title: string; text: string }): JSX.Element {
  return (
    <Page title={title}>
      <h1>{title}</h1>
      <p class="empty">{text}</p>
      <p>
        <a class="button" href="/">Back to the graphs</a>
      </p>
    </Page>
  );
}
