import { defineConfig } from "tsup"

// Everything runs on the sources of the packages, so that nothing has to be built before it.
export default defineConfig({
  entry: { main: "src/main.ts", server: "src/server/main.ts", simulate: "src/simulation/main.ts" },
  outDir: "../node_modules/.cache/torture",
  format: ["esm"],
  target: "node22",
  noExternal: [/^@eventlog-server\//],
  skipNodeModulesBundle: true,
  splitting: false,
  sourcemap: true,
  clean: true,
  silent: true
})
