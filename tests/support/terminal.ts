/** A shell into which commands are pasted, and what it and they print. */
import assert from "node:assert/strict";
import { PROGRAM_DEADLINE_MS, within } from "./deadline.ts";

export class Terminal implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<unknown>;
  #stdout = "";
  #stderr = "";
  /** Until here stdout has been looked at. */
  #seen = 0;
  #wake: (() => void) | undefined;
  #ended = false;

  /** @param variables beside which there are none */
  constructor(folder: string, variables: Readonly<Record<string, string>>) {
    this.#child = new Deno.Command("bash", {
      // A command of which a part fails ends the shell.
      args: ["-eo", "pipefail"],
      cwd: folder,
      clearEnv: true,
      env: { ...variables },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      // A group of its own, so that all that it has started can be ended with it.
      detached: true,
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#read = Promise.all([
      this.#collect(this.#child.stdout, (text) => this.#stdout += text),
      this.#collect(this.#child.stderr, (text) => this.#stderr += text),
    ]);
  }

  /** Types it, whoever reads: the shell, or a program that runs in it. */
  async paste(text: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(text));
  }

  /** Runs commands, and answers what they printed. */
  async run(commands: string): Promise<string> {
    const mark = `done-${crypto.randomUUID()}`;
    await this.paste(`${commands}echo ${mark}\n`);
    const printed = await this.printed(new RegExp(`([^]*)${mark}\n`));
    return printed[1] ?? "";
  }

  /** Waits until something that matches has been printed after what was last waited for. */
  async printed(pattern: RegExp): Promise<RegExpMatchArray> {
    const found = async (): Promise<RegExpMatchArray> => {
      for (;;) {
        const match = this.#stdout.slice(this.#seen).match(pattern);
        if (match?.index !== undefined) {
          this.#seen += match.index + match[0].length;
          return match;
        }
        assert.ok(!this.#ended, "the shell has ended");
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
    };
    return await within(found(), String(pattern), PROGRAM_DEADLINE_MS).catch((cause) => {
      throw new Error(`stdout: ${this.#stdout}\nstderr: ${this.#stderr}`, { cause });
    });
  }

  async #collect(
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    keep: (text: string) => void,
  ): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      keep(text);
      this.#wake?.();
    }
    this.#ended = true;
    this.#wake?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      Deno.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // NotFound: it has ended, and so have its commands.
    }
    // Rejects where the shell no longer reads.
    await this.#input.close().catch(() => {});
    await Promise.all([this.#child.status, this.#read]);
  }
}
