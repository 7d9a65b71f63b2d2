/** The fenced blocks of a Markdown file. */

export interface Block {
  /** The words after the fence: `sh 2`, `text 2`. */
  readonly info: string;
  /** Its lines, each with its end. */
  readonly text: string;
  /** `README.md:12`, where the fence begins. */
  readonly at: string;
}

/** All blocks, in order, also those that are part of a list. */
export function blocksOf(file: string, markdown: string): readonly Block[] {
  return [...markdown.matchAll(/^( *)```(\S[^\n]*)\n([^]*?)^\1```$/gm)].map((match) => {
    const [, indent = "", info = "", text = ""] = match;
    const line = markdown.slice(0, match.index).split("\n").length;
    return {
      info,
      text: text.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
      at: `${file}:${line}`,
    };
  });
}
