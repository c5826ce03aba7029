import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Options } from "tsup"
import type { Plugin } from "vitest/config"
import { mutations } from "./mutations.ts"

type EsbuildPlugin = NonNullable<Options["esbuildPlugins"]>[number]

/** A file of the sources, with a bug in it. */
interface Mutant {
  readonly path: string
  readonly contents: string
}

const mutantOf = (name: string, packages: string): Mutant => {
  const mutation = mutations.find((known) => known.name === name)
  if (mutation === undefined) throw new Error(`There is no mutation "${name}"`)
  const path = join(packages, mutation.file)
  const source = readFileSync(path, "utf8")
  if (!source.includes(mutation.from)) throw new Error(`"${name}" doesn't fit ${mutation.file} any more`)
  return { path, contents: source.replace(mutation.from, () => mutation.to) }
}

/**
 * Puts a bug into what is bundled; the sources stay as they are.
 *
 * @param packages the folder of the packages, absolute
 */
export const mutating = (name: string, packages: string): EsbuildPlugin => {
  const { contents, path } = mutantOf(name, packages)
  return {
    name: "mutating",
    setup: (build) =>
      build.onLoad({ filter: /\.ts$/ }, (file) => (file.path === path ? { contents, loader: "ts" } : undefined))
  }
}

/** Puts a bug into what vitest runs, as `mutating` does into what is bundled. */
export const mutatingTests = (name: string, packages: string): Plugin => {
  const { contents, path } = mutantOf(name, packages)
  return {
    name: "mutating",
    enforce: "pre",
    transform: (_, id) => (id.replace(/\?.*$/, "") === path ? { code: contents, map: null } : undefined)
  }
}
