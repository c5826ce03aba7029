import { resolve } from "node:path"
import { defineConfig } from "tsup"
import { mutating } from "./mutations/plugin.ts"

const mutation = process.env.EVENTLOG_MUTATION

// The configuration is bundled before it runs, beside where it stands: tsup runs in the folder of the harness.
const packages = resolve("../packages")

// Everything runs on the sources of the packages, so that nothing has to be built before it.
export default defineConfig({
  entry: {
    main: "src/main.ts",
    server: "src/server/main.ts",
    simulate: "src/simulation/main.ts",
    hostile: "src/hostile/main.ts",
    hostileServer: "src/hostile/server/main.ts",
    hostileHonest: "src/hostile/honest/main.ts",
    hostileBesiegers: "src/hostile/siege/besiegers.ts"
  },
  outDir: `../node_modules/.cache/torture${mutation === undefined ? "" : "-mutated"}`,
  format: ["esm"],
  target: "node22",
  noExternal: [/^@eventlog-server\//],
  skipNodeModulesBundle: true,
  esbuildPlugins: mutation === undefined ? [] : [mutating(mutation, packages)],
  splitting: false,
  sourcemap: true,
  clean: true,
  silent: true
})
