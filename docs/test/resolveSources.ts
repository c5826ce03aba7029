// Loaded before a snippet (`node --import`): the packages of the workspace are taken from their sources, as in the tests.
import { registerHooks } from "node:module"
import tsconfig from "../../tsconfig.json" with { type: "json" }

const sources = new Map(Object.entries(tsconfig.compilerOptions.paths).map(([name, [path = ""]]) => [name, path]))

registerHooks({
  resolve: (specifier, context, nextResolve) => {
    const source = sources.get(specifier)
    if (source === undefined) return nextResolve(specifier, context)
    return { url: new URL(`../../${source}`, import.meta.url).href, shortCircuit: true }
  }
})
