import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { type AdapterSkip, adapterSuite } from "@eventlog-server/core/conformance"
import { afterAll, beforeAll, describe } from "vitest"
import { buildProcesses, RuntimeProcess } from "./processes/mountIn.ts"

const require = createRequire(import.meta.url)
const folderOf = (name: string) => dirname(require.resolve(`${name}/package.json`))

let folder: URL
beforeAll(async () => {
  folder = await buildProcesses()
}, 60_000)

/** The suite of adapters, for apps in a process of the runtime. What is queued there can't be asked for in the same turn. */
const suiteIn = (name: string, runtime: ReadonlyArray<string>, skip: ReadonlyArray<AdapterSkip> = []): void =>
  describe(name, () => {
    let process: RuntimeProcess
    beforeAll(async () => {
      const [program = "", ...args] = runtime
      process = await RuntimeProcess.start([program, ...args, fileURLToPath(new URL(`${name}.js`, folder))])
    }, 60_000)
    afterAll(() => process.stop())
    adapterSuite(`Hono on ${name}, in a process of its own`, (options) => process.mount(options), { skip })
  })
}

suiteIn("node", [process.execPath])
suiteIn("bun", [join(folderOf("bun"), "bin/bun.exe")])
suiteIn("deno", [join(folderOf("deno"), "deno"), "run", "--allow-all"])
