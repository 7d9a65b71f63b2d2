/** A program of ours as a process of its own: what it prints, and how it ends. */
import { PROGRAM_DEADLINE_MS, within } from "./deadline.ts";

const ROOT = new URL("../../", import.meta.url);

/** How a process ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** Waits until stdout has something that matches. */
  printed(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Sends a signal, and waits for the end. */
  end(signal: Deno.Signal): Promise<Ended>;
  /** Waits for it to end by itself. */
  readonly ended: Promise<Ended>;
}

/**
 * Runs a file of the repository with just these variables (and PATH, HOME and those by which Deno finds its
 * cache), and flags for Deno.
 */
export function runProgram(
  file: string,
  args: readonly string[] = [],
  variables: Readonly<Record<string, string>> = {},
  flags: readonly string[] = [],
): Program {
  const kept = Object.entries(Deno.env.toObject()).filter(([name]) =>
    /^(PATH|HOME|DENO_DIR|XDG_CACHE_HOME)$/.test(name)
  );
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ...flags, new URL(file, ROOT).pathname, ...args],
    cwd: ROOT,
    clearEnv: true,
    env: { ...Object.fromEntries(kept), NO_COLOR: "1", ...variables },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdout = new Collected(child.stdout);
  const stderr = new Collected(child.stderr);
  const ended = (async (): Promise<Ended> => {
    const [status] = await Promise.all([child.status, stdout.whole, stderr.whole]);
    return { code: status.code, stdout: stdout.text, stderr: stderr.text };
  })();
  return {
    pid: child.pid,
    ended,
    printed: (pattern) =>
      within(stdout.matching(pattern), `${file} to print ${pattern}`, PROGRAM_DEADLINE_MS).catch(
        (cause) => {
          throw new Error(`stdout: ${stdout.text}\nstderr: ${stderr.text}`, { cause });
        },
      ),
    end: async (signal) => {
      child.kill(signal);
      return await within(ended, `${file} to end on ${signal}`, PROGRAM_DEADLINE_MS);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      try {
        child.kill("SIGKILL");
      } catch {
        // TypeError: it has ended already.
      }
      await ended;
    },
  };
}

/** A stream's text so far. */
class Collected {
  text = "";
  readonly whole: Promise<void>;
  #wake: (() => void) | undefined;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.whole = this.#collect(stream);
  }

  async matching(pattern: RegExp): Promise<RegExpMatchArray> {
    for (;;) {
      const match = this.text.match(pattern);
      if (match !== null) return match;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async #collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      this.text += chunk;
      this.#wake?.();
    }
  }
}
