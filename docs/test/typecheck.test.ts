import { fileURLToPath } from "node:url"
import ts from "typescript"
import { describe, expect, it } from "vitest"
import { folderOf, pages, readSnippets, root } from "./snippets.ts"

const snippets = pages.flatMap(readSnippets)

/** Those of the workspace, but for what few readers turn on and `ws` with Hono doesn't pass. */
const compilerOptions = (): ts.CompilerOptions => {
  const { config } = ts.readConfigFile(fileURLToPath(new URL("tsconfig.json", root)), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: ["docs/test"] }, ts.sys, fileURLToPath(root))
  return { ...options, exactOptionalPropertyTypes: false }
}

/** One program of all snippets. They are files that only the compiler sees. */
const compile = (): ts.Program => {
  const options = compilerOptions()
  const texts = new Map(snippets.map(({ file, text }) => [file, text]))
  const folders = new Set(pages.map((page) => folderOf(page).slice(0, -1)))
  const disk = ts.createCompilerHost(options)
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (file) => texts.has(file) || disk.fileExists(file),
    directoryExists: (folder) => folders.has(folder) || ts.sys.directoryExists(folder),
    getSourceFile: (file, language, ...rest) => {
      const text = texts.get(file)
      return text === undefined
        ? disk.getSourceFile(file, language, ...rest)
        : ts.createSourceFile(file, text, language)
    }
  }
  return ts.createProgram([...texts.keys()], options, host)
}

describe("the code in the documentation", { timeout: 60_000 }, () => {
  const program = compile()

  it("is in files of different names", () => {
    const files = snippets.map(({ file }) => file)
    expect(files).toEqual([...new Set(files)])
  })

  it.each(snippets)("compiles: $page:$line", ({ file, page }) => {
    const source = program.getSourceFile(file)!
    const errors = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText, start = 0 }) => {
        const { line } = source.getLineAndCharacterOfPosition(start)
        return `${page}:${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`
      }
    )
    expect(errors).toEqual([])
  })
})
