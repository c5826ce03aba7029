import { defineConfig } from "tsup"
import build from "../tsup.config.ts"

// The tests run the example on the sources of the other packages, so that nothing has to be built before them.
export default defineConfig({
  ...build,
  outDir: "../../node_modules/.cache/example-server",
  noExternal: [/^@eventlog-server\//],
  skipNodeModulesBundle: true,
  silent: true
})
