// Loaded before a snippet (`node --import`): the packages of the workspace are taken from their sources, as in the tests.
import { registerHooks } from "node:module"
import tsconfig from "../../tsconfig.json" with { type: "json" }

const sources = new Map(Object.entries(tsconfig.compilerOptions.paths).map(([name, [path = ""]]) => [name, path]))

const snippets = new URL("../dist/", import.meta.url).href
const isSnippet = (url: string | undefined): boolean => url?.startsWith(snippets) === true

registerHooks({
  resolve: (specifier, context, nextResolve) => {
    const source = sources.get(specifier)
    // Nothing compiled the snippets, which may name each other as if somebody had.
    if (isSnippet(context.parentURL) && specifier.startsWith("./"))
      return nextResolve(specifier.replace(/\.js$/, ".ts"), context)
    if (source === undefined) return nextResolve(specifier, context)
    return { url: new URL(`../../${source}`, import.meta.url).href, shortCircuit: true }
  }
})
