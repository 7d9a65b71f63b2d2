/** Asks before a graph is deleted: a page of its own, so that it needs no script. */
import { useContext } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import type { GraphId } from "../protocol/ids.ts";
import { Page } from "./page.tsx";
import { Root } from "./root.ts";

export interface DeletePageProps {
  readonly user: string;
  readonly graph: GraphId;
  readonly name: string;
}

export function DeletePage({ user, graph, name }: DeletePageProps): JSX.Element {
  return (
    <Page title="Delete a graph" user={user}>
      <h1>Delete “{name}”?</h1>
      <form class="card" method="post" action="delete">
        <p>
          Its rows, its history and its assets will be gone from this server, and every client that
          has it open is cut off. What clients keep on their own disks stays there.
        </p>
        <p>
          <code>{graph}</code>
        </p>
        <p class="actions">
          <a class="button" href={useContext(Root)}>Keep it</a>
          <button type="submit" class="button danger">Delete it for good</button>
        </p>
      </form>
    </Page>
  );
}
