import { defineConfig } from "tsup"
import builds from "../tsup.config.ts"

// The tests run the example on the sources of the other packages, so that nothing has to be built before them.
const [server, page] = builds
const folder = process.env.EXAMPLE_FOLDER ?? "dist"

export default defineConfig([
  {
    ...server,
    outDir: folder,
    noExternal: [/^@eventlog-server\//],
    skipNodeModulesBundle: true,
    silent: true
  },
  { ...page, outDir: `${folder}page`, silent: true }
])
