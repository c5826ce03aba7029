import { existsSync, readdirSync } from "node:fs"
import { availableParallelism } from "node:os"
import { basename, join, resolve } from "node:path"
import { defineConfig } from "vitest/config"
import { mutatingTests } from "./torture/mutations/plugin.ts"
import tsconfig from "./tsconfig.json" with { type: "json" }

const minute = 60_000

/** The bug that `npm run torture:mutations` wants caught by tests. */
const mutation = process.env.EVENTLOG_MUTATION

/** Tests import the sources of the other packages, so they need no build and can't meet a stale one. */
const alias = Object.entries(tsconfig.compilerOptions.paths).map(([name, [path = ""]]) => ({
  find: new RegExp(`^${name}$`),
  replacement: resolve(import.meta.dirname, path)
}))

const folders = ["packages", "examples"]
  .filter((parent) => existsSync(parent))
  .flatMap((parent) => readdirSync(parent).map((name) => join(parent, name)))
  .concat("docs", "bench", "torture")
  .filter((folder) => existsSync(join(folder, "test")))

/** `vitest run` keeps counts small; `vitest run --mode long` gives the tests `EVENTLOG_TEST_LONG` and time for it. */
export default defineConfig(({ mode }) => {
  const long = mode === "long" || process.env.EVENTLOG_TEST_LONG !== undefined
  return {
    plugins: mutation === undefined ? [] : [mutatingTests(mutation, resolve(import.meta.dirname, "packages"))],
    resolve: { alias },
    test: {
      // The cache knows modules by their sources, which a bug doesn't change.
      fsModuleCache: mutation === undefined,
      projects: folders.map((folder) => ({
        extends: true as const,
        test: { name: basename(folder), root: folder, include: ["test/**/*.test.ts"] }
      })),
      // Evaluating effect and the sources again for each file takes longer than most files. A file leaves nothing behind.
      isolate: false,
      // Vitest would leave a core to itself, which on two cores makes one worker of all of it.
      maxWorkers: Math.max(2, availableParallelism() - 1),
      env: long ? { EVENTLOG_TEST_LONG: "1" } : {},
      testTimeout: long ? 30 * minute : minute,
      hookTimeout: minute,
      // A busy machine takes its time; what waits for something that never comes fails all the same.
      expect: { poll: { timeout: minute / 2 } },
      coverage: { provider: "v8", include: ["**/src/**/*.ts"], reporter: ["text-summary", "html"] }
    }
  }
})
