/** The page at `/` for who is signed in: his graphs, and what can be done with them. */
import type { JSX } from "hono/jsx/jsx-runtime";
import prettyBytes from "pretty-bytes";
import type { GraphOverview } from "../sync/overview.ts";
import { activityText, agoText, countText } from "./numbers.ts";
import { Page } from "./page.tsx";
import { ActivityPlot } from "./plot.tsx";

export interface GraphsPageProps {
  readonly user: string;
  readonly graphs: readonly GraphOverview[];
  /** Ms since the epoch. */
  readonly now: number;
}

export function GraphsPage({ user, graphs, now }: GraphsPageProps): JSX.Element {
  return (
    <Page title="Graphs" user={user}>
      <h1>Your graphs</h1>
      {graphs.length === 0
        ? <p class="empty">None yet. A Logseq client makes one when it uploads a graph.</p>
        : (
          <ul class="graphs">
            {graphs.map((overview) => <Graph key={overview.graph} overview={overview} now={now} />)}
          </ul>
        )}
    </Page>
  );
}

interface GraphProps {
  readonly overview: GraphOverview;
  readonly now: number;
}

function Graph({ overview, now }: GraphProps): JSX.Element {
  const { graph, name, ready, t, updatedAt, clients, batches, size } = overview;
  const changed = new Date(updatedAt).toISOString();
  return (
    <li class="graph">
      <div class="title">
        <h2 id={`name-${graph}`}>{name}</h2>
        <code>{graph}</code>
        {!ready && <strong>Its upload hasn't ended</strong>}
      </div>
      <figure>
        <ActivityPlot batches={batches} />
        <figcaption>{activityText(batches)}</figcaption>
      </figure>
      <dl>
        <Fact name="Version">{countText(t)}</Fact>
        <Fact name="Rows">{size === undefined ? "being counted" : countText(size.rows)}</Fact>
        <Fact name="Size">{size === undefined ? "being counted" : prettyBytes(size.bytes)}</Fact>
        <Fact name="Connected here">{countText(clients)}</Fact>
        <Fact name="Last change">
          <time datetime={changed} title={changed}>{agoText(updatedAt, now)}</time>
        </Fact>
      </dl>
      <p class="actions">
        <a class="button" href={`status/${graph}/backup`} aria-describedby={`name-${graph}`}>
          Download backup
        </a>
        <a
          class="button danger"
          href={`status/${graph}/delete`}
          aria-describedby={`name-${graph}`}
        >
          Delete…
        </a>
      </p>
    </li>
  );
}

interface FactProps {
  readonly name: string;
  readonly children: JSX.Element | string;
}

function Fact({ name, children }: FactProps): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
