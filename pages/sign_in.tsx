/** The page at `/` for who isn't signed in. */
import { useContext } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import { Page } from "./page.tsx";
import { Root } from "./root.ts";

/** @param problem why the last try didn't do */
export function SignInPage({ problem }: { readonly problem?: string }): JSX.Element {
  return (
    <Page title="Sign in">
      <h1>Sign in</h1>
      <form class="card" method="post" action={`${useContext(Root)}sign-in`}>
        {problem !== undefined && <p id="problem" class="problem" role="alert">{problem}</p>}
        <label for="token">Token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="off"
          autocapitalize="none"
          aria-invalid={problem === undefined ? undefined : "true"}
          aria-describedby={problem === undefined ? "token-help" : "problem token-help"}
          required
        />
        <p id="token-help" class="help">
          The one that your Logseq client uses, or that <code>deno task token</code> prints.
        </p>
        <button type="submit" class="button primary">Sign in</button>
      </form>
    </Page>
  );
}
