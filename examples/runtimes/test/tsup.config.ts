import { defineConfig } from "tsup"
import build from "../tsup.config.ts"

// The tests run the example on the sources of the other packages, so that nothing has to be built before them.
export default defineConfig({
  ...build,
  outDir: process.env.EXAMPLE_FOLDER ?? "dist",
  noExternal: [/^@eventlog-server\//],
  skipNodeModulesBundle: true,
  silent: true
})
