/** The fenced blocks of a Markdown file. */

export interface Block {
  /** The words after the fence: `sh 2`, `text 2`. */
  readonly info: string;
  /** Its lines, each with its end. */
  readonly text: string;
  /** `README.md:12`, where the fence begins. */
  readonly at: string;
}

/** All blocks, in order. */
export function blocksOf(file: string, markdown: string): readonly Block[] {
  return [...markdown.matchAll(/^```([^\n]+)\n([^]*?)^```$/gm)].map((match) => {
    const [, info = "", text = ""] = match;
    const line = markdown.slice(0, match.index).split("\n").length;
    return { info, text, at: `${file}:${line}` };
  });
}
