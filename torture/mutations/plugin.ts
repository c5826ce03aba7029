import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import type { Options } from "tsup"
import { mutations } from "./mutations.ts"

type Plugin = NonNullable<Options["esbuildPlugins"]>[number]

// The configuration is bundled before it runs, beside where it stands: tsup runs in the folder of the harness.
const packages = resolve("../packages")

/** Puts a bug into what is bundled; the sources stay as they are. */
export const mutating = (name: string): Plugin => {
  const mutation = mutations.find((known) => known.name === name)
  if (mutation === undefined) throw new Error(`There is no mutation "${name}"`)
  const path = join(packages, mutation.file)
  const source = readFileSync(path, "utf8")
  if (!source.includes(mutation.from)) throw new Error(`"${name}" doesn't fit ${mutation.file} any more`)
  return {
    name: "mutating",
    setup: (build) =>
      build.onLoad({ filter: /\.ts$/ }, (file) =>
        file.path === path ? { contents: source.replace(mutation.from, () => mutation.to), loader: "ts" } : undefined
      )
  }
}
