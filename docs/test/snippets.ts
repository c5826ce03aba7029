import { readdirSync, readFileSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"

/** The root of the repository. */
export const root = new URL("../../", import.meta.url)

/** The pages whose code is tested, relative to the root. */
export const pages: ReadonlyArray<string> = readdirSync(new URL("docs/", root))
  .filter((name) => name.endsWith(".md"))
  .map((name) => `docs/${name}`)
  .concat("README.md")

/** The code of one or several blocks of a page, as a module. */
export interface Snippet {
  readonly page: string
  /** The line of the page on which the first block opens, from 1. */
  readonly line: number
  /** Where the module belongs; nothing is there until it is written. */
  readonly file: string
  /** As many lines as the page has, all but those of the code empty: a line number holds for both. */
  readonly text: string
}

/** Where modules are written to. It is ignored by git, and what is in it finds the packages of the workspace. */
export const modules: string = fileURLToPath(new URL("docs/dist/", root))

/** The folder of a page's modules. */
export const folderOf = (page: string): string => `${modules}${basename(page, ".md")}/`

interface Block {
  /** What follows the language on the opening line. */
  readonly info: string
  readonly line: number
  readonly code: ReadonlyArray<string>
}

const opening = /^```ts(?: (?<info>.*))?$/

const blocksOf = (page: string, lines: ReadonlyArray<string>): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  for (let index = 0; index < lines.length; index++) {
    if (!lines[index]!.startsWith("```")) continue
    const end = lines.indexOf("```", index + 1)
    if (end === -1) throw new Error(`${page}:${index + 1}: the block is not closed`)
    const match = opening.exec(lines[index]!)
    if (match !== null) {
      blocks.push({ info: match.groups?.info ?? "", line: index + 1, code: lines.slice(index + 1, end) })
    }
    index = end
  }
  return blocks
}

/**
 * Reads the `ts` blocks of a page. A block is a module of its own; after "```ts continued" it goes on with the module of
 * the block before. A module that begins with the comment `// name.ts` has that name, and the others of the page may
 * import it as `./name.ts`.
 */
export const readSnippets = (page: string): ReadonlyArray<Snippet> => {
  const lines = readFileSync(new URL(page, root), "utf8").split("\n")
  const found: Array<{ readonly line: number; readonly name: string; readonly text: Array<string> }> = []
  for (const { code, info, line } of blocksOf(page, lines)) {
    if (info !== "" && info !== "continued") throw new Error(`${page}:${line}: "${info}" means nothing here`)
    if (info === "") {
      const name = /^\/\/ ([\w.-]+\.ts)$/.exec(code[0] ?? "")?.[1] ?? `line-${line}.ts`
      found.push({ line, name, text: lines.map(() => "") })
    }
    const current = found.at(-1)
    if (current === undefined) throw new Error(`${page}:${line}: there is no block to continue`)
    current.text.splice(line, code.length, ...code)
  }
  return found.map(({ line, name, text }) => ({
    page,
    line,
    file: `${folderOf(page)}${name}`,
    text: text.join("\n")
  }))
}
