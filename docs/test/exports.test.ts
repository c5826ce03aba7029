import { readdirSync, readFileSync, statSync } from "node:fs"
import { join, resolve } from "node:path"
import { describe, expect, it } from "vitest"
import tsconfig from "../../tsconfig.json" with { type: "json" }

const root = resolve(import.meta.dirname, "../..")

const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder).flatMap((name) => {
    if (name === "node_modules" || name === "dist") return []
    const path = join(folder, name)
    return statSync(path).isDirectory() ? filesBelow(path) : [path]
  })

/** The names that a module exports, by its lists: no entry point declares anything itself. */
const exportedBy = (file: string): ReadonlyArray<string> =>
  [...readFileSync(file, "utf8").matchAll(/export (?:type )?\{([^}]*)\} from/g)].flatMap(([, list = ""]) =>
    list
      .split(",")
      .map((name) => name.trim().replace(/^type /, ""))
      .filter((name) => name !== "")
  )

/** Where the users of a package are: documents, examples, tests, suites, and the packages that stand on it. */
const usersOf = (own: string): string =>
  [
    join(root, "README.md"),
    ...["docs", "examples", "bench", "torture", "packages"].flatMap((folder) => filesBelow(join(root, folder)))
  ]
    .filter(
      (path) =>
        /\.(ts|md)$/.test(path) &&
        (!path.startsWith(`${own}/src/`) || path.includes("/src/conformance/")) &&
        path !== import.meta.filename
    )
    .map((path) => readFileSync(path, "utf8"))
    .join("\n")

const entryPoints = Object.entries(tsconfig.compilerOptions.paths)
  .filter(([name]) => !name.includes("testkit"))
  .map(([name, [path = ""]]) => [name, resolve(root, path)] as const)

describe("every name that is exported is used by a document, an example, a test or another package", () => {
  it.each(entryPoints)("%s", (_, file) => {
    const own = file.slice(0, file.indexOf("/src/"))
    const users = usersOf(own)
    const unused = exportedBy(file).filter((name) => !new RegExp(`\\b${name}\\b`).test(users))
    expect(unused).toEqual([])
  })
})

it("what a server is mounted with is few names", () => {
  expect(exportedBy(join(root, "packages/core/src/index.ts")).length).toBeLessThanOrEqual(45)
})

describe("no port has more than seven members", () => {
  it.each(["FeedStore", "FeedAdmin", "StoreProgress", "EventLogServerStoreRegistry"])("%s", (port) => {
    const source = readFileSync(join(root, `packages/core/src/backend/${port}.ts`), "utf8")
    const service = source.slice(source.indexOf("Context.Service<"))
    const members = [...service.matchAll(/^ {4}readonly (\w+):/gm)].map(([, name]) => name)
    expect(members.length).toBeGreaterThan(3)
    expect(members.length).toBeLessThanOrEqual(7)
  })
})
