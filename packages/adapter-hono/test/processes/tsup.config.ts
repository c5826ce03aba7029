import { defineConfig } from "tsup"

// The processes run on the sources, so that nothing has to be built before the tests.
export default defineConfig({
  entry: { node: "test/processes/node.ts", bun: "test/processes/bun.ts", deno: "test/processes/deno.ts" },
  outDir: process.env.PROCESSES_FOLDER ?? "dist",
  format: ["esm"],
  target: "node22",
  noExternal: [/^@eventlog-server\//],
  skipNodeModulesBundle: true,
  removeNodeProtocol: false,
  clean: true,
  silent: true
})
