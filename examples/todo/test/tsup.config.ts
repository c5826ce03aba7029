import { defineConfig } from "tsup"
import builds from "../tsup.config.ts"

// The tests run the example on the sources of the other packages, so that nothing has to be built before them.
const [server, page] = builds

export default defineConfig([
  {
    ...server,
    outDir: "../../node_modules/.cache/example-todo",
    noExternal: [/^@eventlog-server\//],
    skipNodeModulesBundle: true,
    silent: true
  },
  { ...page, outDir: "../../node_modules/.cache/example-todo/page", silent: true }
])
